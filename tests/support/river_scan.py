"""What nine months of a river's stage say by polars alone."""

from pathlib import Path

import polars as pl

MIN = 60_000
HOUR = 60 * MIN
QUARTER = 15 * MIN
MISSING = -9999.0
WEST_MS = 7 * HOUR
"""The station's clock is so far behind UTC, winter and summer."""


def read(path: Path) -> pl.DataFrame:
    """Every row: instant in UTC ms and level in centimetres, -9999 where there is none."""
    text = pl.read_csv(path, infer_schema=False)
    at = pl.col("datetime").str.to_datetime("%Y-%m-%d %H:%M", time_unit="ms").dt.epoch("ms")
    return text.select(at=at + WEST_MS, level=pl.col("stage_cor").cast(pl.Float64))


def good(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that hold a level."""
    return rows.filter(pl.col("level") != MISSING)


def _begins(frame: pl.DataFrame, part: str | None = None) -> list[int]:
    """Where `holds`, carried on over what is not known, begins; within parts where given."""
    carried, before = pl.col("holds").forward_fill(), pl.col("carried").shift(1)
    if part is not None:
        carried, before = carried.over(part), before.over(part)
    seen = frame.with_columns(carried=carried).with_columns(before=before.fill_null(value=False))
    return seen.filter(pl.col("holds"), ~pl.col("before"))["at"].to_list()


def rises(rows: pl.DataFrame) -> list[int]:
    """Rises of more than 5 cm in an hour, against the newest level at least an hour old."""
    levels = good(rows)
    old = levels.select(then=pl.col("at"), base=pl.col("level"), due=pl.col("at") + HOUR)
    both = levels.join_asof(old, left_on="at", right_on="due", tolerance=QUARTER)
    rate = (pl.col("level") - pl.col("base")) * HOUR / (pl.col("at") - pl.col("then"))
    gap = (pl.col("at").diff() > 75 * MIN * 9 // 8 + MIN).fill_null(value=False)
    return _begins(both.with_columns(holds=rate > 5, part=gap.cum_sum()), "part")


def frozen(rows: pl.DataFrame) -> list[int]:
    """Where five levels in a row, a quarter apart each, are the same."""
    steps = good(rows).with_columns(
        moves=((pl.col("level").diff() != 0) | (pl.col("at").diff() != QUARTER)).fill_null(
            value=True
        )
    )
    runs = steps.with_columns(run=pl.col("moves").cum_sum())
    placed = runs.with_columns(place=pl.int_range(pl.len()).over("run"))
    return placed.filter(pl.col("place") == 4)["at"].to_list()


def leaps(rows: pl.DataFrame) -> list[int]:
    """Steps of more than 5 cm in a quarter, an hour or more after the last."""
    steps = good(rows).filter(pl.col("at").diff() == QUARTER, pl.col("level").diff().abs() > 5)
    apart = (pl.col("at").diff() > HOUR).fill_null(value=True)
    return steps.filter(apart)["at"].to_list()


def thin(rows: pl.DataFrame) -> list[int]:
    """The ends of hours with fewer than four levels, the first of each run."""
    hours = good(rows).group_by(hour=pl.col("at") // HOUR).len("count").sort("hour")
    few = hours.filter(pl.col("count") < 4, pl.col("hour") < pl.col("hour").max())
    first = (pl.col("hour").diff() != 1).fill_null(value=True)
    return ((few.filter(first)["hour"] + 1) * HOUR).to_list()


def steep(rows: pl.DataFrame) -> list[int]:
    """Edges, a quarter apart, at which the line through two full hours rises 3 cm an hour."""
    levels = good(rows)
    edges = levels.select(
        at=pl.int_range(pl.col("at").min() // HOUR * HOUR, pl.col("at").max() + MIN, QUARTER)
    )
    inside = levels.join(pl.DataFrame({"after": range(1, 9)}), how="cross").select(
        "level", t=pl.col("at"), at=(pl.col("at") // QUARTER + pl.col("after")) * QUARTER
    )
    slope = pl.cov("t", "level") / pl.col("t").var() * HOUR
    windows = inside.group_by("at").agg(slope=slope, count=pl.len())
    seen = edges.join(windows, on="at", how="left", maintain_order="left")
    full = pl.when(pl.col("count") == 8).then(pl.col("slope") > 3)
    empty = pl.when(pl.col("count").is_null()).then(pl.lit(value=False))
    return _begins(seen.with_columns(holds=full.otherwise(empty)))
