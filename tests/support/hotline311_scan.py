"""What fifteen years of complaints say by polars alone: repeats, overdue orders, clusters."""

from pathlib import Path
from typing import Any

import polars as pl

ZONE = "America/New_York"
DAY = 86_400_000
STANDARD = -5 * 3_600_000  # days end by standard time, summer and winter
FORMAT = "%m/%d/%Y %I:%M:%S %p"
EARTH_M = 6_371_008.8


def read(path: Path) -> pl.DataFrame:
    """The orders in order of time and name; instants in UTC ms, places in degrees."""

    def instant(column: str) -> pl.Expr:
        local = pl.col(column).str.to_datetime(FORMAT, time_unit="ms")
        return local.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")

    text = pl.read_csv(path, infer_schema=False)
    return text.select(
        pl.col("Unique Key").alias("name"),
        instant("Created Date").alias("opened"),
        instant("Closed Date").alias("closed"),
        instant("Due Date").alias("due"),
        pl.col("Descriptor").alias("about"),
        pl.col("Incident Address").fill_null("").alias("address"),
        pl.col("Longitude").cast(pl.Float64).alias("lon"),
        pl.col("Latitude").cast(pl.Float64).alias("lat"),
    ).sort(pl.col("opened").dt.epoch("ms"), "name")


def last_of(orders: pl.DataFrame) -> int:
    """The last instant at which anything was noted."""
    instants = orders.select(pl.max_horizontal(pl.col("opened", "closed").max().dt.epoch("ms")))
    return int(instants.item())


def repeats(orders: pl.DataFrame) -> list[tuple[Any, ...]]:
    """(instant, key, transition, severity) of addresses with three of a kind in thirty days."""
    days = (pl.col("opened").dt.epoch("ms") + STANDARD) // DAY
    last = orders.select(days.max()).item()
    counts = (
        orders.filter(pl.col("address") != "")
        .select(key=pl.format("{}|{}", "about", "address"), day=days)
        .join(pl.DataFrame({"after": range(1, 31)}), how="cross")
        .group_by("key", (pl.col("day") + pl.col("after")).alias("edge"))
        .len("count")
        .filter(pl.col("edge") <= last, pl.col("count") >= 3)
        .sort("key", "edge")
    )
    rank = pl.when(pl.col("count") >= 8).then(2).when(pl.col("count") >= 5).then(1).otherwise(0)
    runs = counts.with_columns(
        rank=rank, begins=(pl.col("edge").diff() != 1).fill_null(value=True).over("key")
    ).with_columns(run=pl.col("begins").cum_sum().over("key"))
    told = runs.with_columns(most=pl.col("rank").cum_max().over("key", "run"))
    told = told.with_columns(before=pl.col("most").shift(1).over("key", "run"))
    climbs = told.filter(pl.col("before").is_null() | (pl.col("most") > pl.col("before"))).select(
        "edge",
        "key",
        pl.when(pl.col("before").is_null()).then(pl.lit("fired")).otherwise(pl.lit("raised")),
        "most",
    )
    ends = told.group_by("key", "run").agg(pl.col("edge").max() + 1, pl.col("most").max())
    ends = ends.filter(pl.col("edge") <= last).select(
        "edge", "key", pl.lit("cleared").alias("literal"), "most"
    )
    levels = ("blue", "yellow", "orange")
    return sorted(
        (edge * DAY - STANDARD, key, what, levels[most])
        for edge, key, what, most in pl.concat([climbs, ends]).iter_rows()
    )


def overdue(orders: pl.DataFrame) -> tuple[set[str], list[tuple[Any, ...]]]:
    """Orders that are due otherwise than after thirty days, and what the others set off."""

    def day_after(days: int) -> pl.Expr:
        at = (pl.col("due").dt.date() + pl.duration(days=days)).cast(pl.Datetime("ms"))
        return at.dt.replace_time_zone(ZONE).dt.epoch("ms")

    last = last_of(orders)
    wanted = orders.filter(pl.col("due").is_not_null())
    usual = pl.col("due").dt.date() == pl.col("opened").dt.date() + pl.duration(days=30)
    otherwise = set(wanted.filter(~usual)["name"])
    closed = pl.when(pl.col("closed") >= pl.col("opened")).then(pl.col("closed").dt.epoch("ms"))
    seen = wanted.filter(usual).select("name", closed=closed.fill_null(last + 1))
    seen = seen.with_columns(wanted.filter(usual).select(fired=day_after(1), raised=day_after(31)))
    told: list[tuple[Any, ...]] = []
    for what, level in (("fired", "yellow"), ("raised", "orange")):
        some = seen.filter(pl.col(what) <= last, pl.col("closed") > pl.col(what))
        told += [(at, name, what, level) for at, name in some.select(what, "name").iter_rows()]
    ended = seen.filter(pl.col("closed") <= last, pl.col("closed") > pl.col("fired"))
    high = pl.col("closed") > pl.col("raised")
    reached = pl.when(high).then(pl.lit("orange")).otherwise(pl.lit("yellow"))
    rows = ended.select("closed", "name", pl.lit("cleared").alias("what"), reached.alias("level"))
    return otherwise, sorted([*told, *rows.iter_rows()])


def clusters(orders: pl.DataFrame, at_least: int = 4, metres: float = 800) -> list[tuple[Any, ...]]:
    """(instant, about, transition, size) of clusters among complaints about one thing.

    Who is near whom is joined by polars; what is left is to go through them in their order: each
    cluster keeps to its first complaint, and a later one joins the oldest whose first is near.
    """
    placed = orders.filter(pl.col("address") != "", pl.col("lon").is_not_null())
    placed = placed.with_columns(at=pl.col("opened").dt.epoch("ms")).with_row_index("n")
    half = ((pl.col("lat_right") - pl.col("lat")).radians() / 2).sin() ** 2
    across = ((pl.col("lon_right") - pl.col("lon")).radians() / 2).sin() ** 2
    half = half + pl.col("lat").radians().cos() * pl.col("lat_right").radians().cos() * across
    band = metres / 111_000  # a little more than so many metres, in degrees of latitude
    pairs = placed.join_where(
        placed,
        pl.col("about") == pl.col("about_right"),
        pl.col("lat") >= pl.col("lat_right") - band,
        pl.col("lat") <= pl.col("lat_right") + band,
    ).filter(2 * EARTH_M * half.sqrt().arcsin() <= metres)
    near: dict[int, set[int]] = {}
    for one, other in pairs.select("n", "n_right").iter_rows():
        near.setdefault(one, set()).add(other)
    told = []
    for (about,), some in placed.group_by("about", maintain_order=True):
        rows = list(some.select("n", "at", "address").iter_rows())
        told += [(at, about, what, size) for at, what, size in _grown(rows, near, at_least)]
    return sorted(told)


def _grown(
    rows: list[tuple[int, int, str]], near: dict[int, set[int]], at_least: int
) -> list[tuple[int, str, int]]:
    """Clusters among complaints about one thing, in their order."""
    said: list[tuple[int, str, int]] = []
    groups: list[dict[str, Any]] = []
    free: list[tuple[int, int, str]] = []
    for row in rows:
        number, now, address = row
        groups = [group for group in groups if group["last"] > now - 21 * DAY]
        free = [other for other in free if other[1] > now - 21 * DAY] + [row]
        home = next((group for group in groups if number in near[group["first"]]), None)
        if home is not None:
            free.pop()
            home["last"] = now
            if address not in home["addresses"]:
                home["addresses"].add(address)
                if len(home["addresses"]) in (6, 8):
                    said.append((now, "updated", len(home["addresses"])))
            continue
        for first in [other for other in free if other[0] in near[number]]:
            members = [other for other in free if other[0] in near[first[0]]]
            addresses = {other[2] for other in members}
            if len(addresses) >= at_least:
                groups.append({"first": first[0], "last": now, "addresses": addresses})
                free = [other for other in free if other not in members]
                said.append((now, "fired", len(addresses)))
                break
    return said
