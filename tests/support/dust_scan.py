"""What four years of PM10 in Beijing say by polars alone: episodes, usual hours, gaps, tails."""

from pathlib import Path

import polars as pl

Told = list[tuple[str, int]]
"""(transition and severity, hour since the first)."""

LEVELS = {"blue": 0, "yellow": 250, "orange": 420}


def read(path: Path) -> pl.DataFrame:
    """One row an hour from the first: its number, and PM10 or null."""
    text = pl.read_csv(path, infer_schema=False, null_values="NA")
    number = pl.col("No").cast(pl.Int64) - 1
    return text.select(hour=number, dust=pl.col("PM10").cast(pl.Float64)).sort("hour")


def _turns(edges: pl.DataFrame) -> Told:
    """Where `now`, carried on over what is not known, begins and ends."""
    seen = edges.sort("edge").with_columns(now=pl.col("now").forward_fill().fill_null(value=False))
    before = pl.col("now").shift(1).fill_null(value=False)
    turned = seen.filter(pl.col("now") != before)
    return [(("fired-blue" if now else "cleared-blue"), edge) for edge, now in turned.iter_rows()]


def day_mean(hours: pl.DataFrame) -> Told:
    """Means of 24 hours above 150, until below 120; levels climb and do not fall."""
    hundredths = (pl.col("dust") * 100).round().cast(pl.Int64)  # whole numbers add up exactly
    count = pl.col("dust").is_not_null().cast(pl.Int64).rolling_sum(24, min_samples=1)
    total = hundredths.fill_null(0).rolling_sum(24, min_samples=1)
    means = hours.with_columns(count=count, mean=total / count / 100).filter(
        pl.col("count") >= 20, pl.col("hour") + 1 < hours.height
    )
    above = pl.when(pl.col("mean") > 150).then(pl.lit(value=True))
    state = above.when(pl.col("mean") < 120).then(pl.lit(value=False))
    rank = sum((pl.col("mean") > least).cast(pl.Int64) for least in LEVELS.values()) - 1
    seen = means.select(
        "mean", edge=pl.col("hour") + 1, on=state.forward_fill().fill_null(value=False), rank=rank
    )
    turns = (pl.col("on") != pl.col("on").shift(1)).fill_null(value=True)
    runs = seen.with_columns(run=turns.cum_sum())
    high = pl.when(pl.col("on") & (pl.col("mean") > 150)).then(pl.col("rank"))
    runs = runs.with_columns(most=high.cum_max().forward_fill().over("run"))
    before = pl.col("most").shift(1).over("run")
    runs = runs.with_columns(before=before, ended=pl.col("most").shift(1))
    names, told = list(LEVELS), []
    for edge, on, most, last, ended in runs.select(
        "edge", "on", "most", "before", "ended"
    ).iter_rows():
        if on and last is None:
            told.append((f"fired-{names[most]}", edge))
        elif on and most > last:
            told.append((f"raised-{names[most]}", edge))
        elif not on and ended is not None:
            told.append((f"cleared-{names[ended]}", edge))
    return told


def unusual_hour(hours: pl.DataFrame) -> Told:
    """Hours above mean + 3 sigma of the same hour of eight past weeks, four of them known."""
    past = hours.with_columns(
        past=pl.concat_list(pl.col("dust").shift(168 * back) for back in range(1, 9))
    ).with_columns(pl.col("past").list.drop_nulls())
    limit = pl.col("past").list.mean() + 3 * pl.col("past").list.std()
    known = pl.col("past").list.len() >= 4
    missing = pl.when(pl.col("dust").is_null()).then(pl.lit(value=False))
    now = missing.when(known).then(pl.col("dust") > limit)
    edges = past.select(edge=pl.col("hour") + 1, now=now)
    return _turns(edges.filter(pl.col("edge") < hours.height))


def _days(hours: pl.DataFrame) -> pl.DataFrame:
    """Each whole day: its end, how many hours are known, and their sum."""
    days = hours.group_by(edge=(pl.col("hour") // 24 + 1) * 24).agg(
        count=pl.col("dust").count(), total=pl.col("dust").sum()
    )
    return days.filter(pl.col("edge") < hours.height).sort("edge")


def twice_yesterday(hours: pl.DataFrame) -> Told:
    """Days with more than twice the dust of the day before, both of them whole."""
    total = pl.when(pl.col("count") == 24).then(pl.col("total"))
    days = _days(hours).with_columns(total=total)
    compared = pl.col("total") > 2 * pl.col("total").shift(1)
    empty = pl.when(pl.col("count") == 0).then(pl.lit(value=False))
    now = pl.when(compared.is_not_null()).then(compared).otherwise(empty)
    return _turns(days.select("edge", now=now))


def hours_missing(hours: pl.DataFrame) -> Told:
    """Days of which some hours are known and some are not."""
    return _turns(_days(hours).select("edge", now=pl.col("count").is_between(1, 23)))


def high_tail(hours: pl.DataFrame) -> Told:
    """Weeks, ending with each day, whose ninetieth percentile (nearest rank) is above 300."""
    known = hours.filter(pl.col("dust").is_not_null())
    weeks = (
        known.join(pl.DataFrame({"after": range(1, 8)}), how="cross")
        .group_by(edge=(pl.col("hour") // 24 + pl.col("after")) * 24)
        .agg(dust=pl.col("dust").sort())
        .filter(pl.col("edge") < hours.height, pl.col("dust").list.len() >= 100)
    )
    size = pl.col("dust").list.len()
    place = ((size * 9 + 9) // 10).cast(pl.Int64) - 1
    return _turns(weeks.select("edge", now=pl.col("dust").list.get(place) > 300))
