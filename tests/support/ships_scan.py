"""What an hour of New York harbour says by polars alone: who lay where, who fell silent."""

from pathlib import Path

import numpy as np
import polars as pl

START_MS = 1_593_475_200_000  # 2020-06-30 00:00 UTC
SECONDS = 3600
EARTH_M = 6_371_008.8
MOORED = 5.0


def read(path: Path) -> pl.DataFrame:
    """One row for each ship and second: the first that was sent, in order of time."""
    number = pl.Float64
    at = pl.col("BaseDateTime").str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ms")
    return (
        pl.read_csv(path, infer_schema=False)
        .select(
            ship=pl.col("MMSI"),
            second=(at.dt.epoch("ms") - START_MS) // 1000,
            lon=pl.col("LON").cast(number),
            lat=pl.col("LAT").cast(number),
            speed=pl.col("SOG").cast(number),
            status=pl.col("Status").cast(number),
        )
        .unique(["ship", "second"], keep="first", maintain_order=True)
        .sort("second", "ship")
    )


def presence(fixes: pl.DataFrame, silent_s: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """For every second and ship: where it lies (NaN: not there), in radians east and north.

    A slow ship is there from a fix to the next, but no longer than so many seconds.
    """
    spans = fixes.sort("ship", "second").with_columns(
        until=pl.min_horizontal(
            pl.col("second").shift(-1).over("ship").fill_null(SECONDS),
            pl.col("second") + silent_s + 1,
            pl.lit(SECONDS),
        )
    )
    there = spans.filter(pl.col("speed") < 2).select(
        "ship", pl.int_ranges("second", "until").alias("second"),
        pl.col("lon", "lat").radians(),
    ).explode("second")  # fmt: skip
    seconds = pl.DataFrame({"second": range(SECONDS)})
    ships = sorted(fixes["ship"].unique())
    found = []
    for axis in ("lon", "lat"):
        wide = there.pivot("ship", index="second", values=axis)
        wide = seconds.join(wide, on="second", how="left", maintain_order="left")
        missing = [pl.lit(None, pl.Float64).alias(ship) for ship in ships if ship not in wide]
        found.append(wide.with_columns(missing).select(ships).fill_null(float("nan")).to_numpy())
    return ships, found[0], found[1]


def moored_but_moving(fixes: pl.DataFrame, knots: float, quiet_s: int) -> list[tuple[int, str]]:
    """(second, ship) where a ship that says it is moored moves, after a while in which none did."""
    seen = fixes.filter(pl.col("status") == MOORED, pl.col("speed") > knots)
    seen = seen.sort("ship", "second")
    apart = (pl.col("second").diff() > quiet_s).fill_null(value=True).over("ship")
    return sorted(seen.filter(apart).select("second", "ship").iter_rows())


def lost(fixes: pl.DataFrame, silent_s: int) -> list[tuple[int, str]]:
    """(second, ship) where nothing had come from a ship for so long, up to the last second."""
    last = fixes["second"].max()
    gaps = fixes.sort("ship", "second").select(
        "ship",
        due=pl.col("second") + silent_s,
        back=pl.col("second").shift(-1).over("ship"),
    )
    missed = gaps.filter(
        pl.col("due") <= last, pl.col("back").is_null() | (pl.col("back") > pl.col("due"))
    )
    return sorted(missed.select("due", "ship").iter_rows())
