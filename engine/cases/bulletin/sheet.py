"""An assessment as a table for calculating: CSV that spreadsheets open, a row for each of whom."""

import csv
import io

from engine.cases.assessment import STAGES, TIMED
from engine.cases.bulletin.rows import COUNTS, Telling
from engine.cases.model import Verdict

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MINUTE_MS = 60_000


def sheet(telling: Telling) -> str:
    """The whole table; it begins with the mark by which spreadsheets know UTF-8.

    Columns are named in English whatever the language, for programs; medians are minutes.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_head())
    for kind, code, name, one in telling.groups():
        rates: list[object] = []
        for stage in STAGES:
            rate = one.on_time(stage)
            rates += [rate.kept, rate.of, "" if rate.share is None else f"{rate.share:.4f}"]
        medians = [one.median_ms(stage) for stage in TIMED.values()]
        writer.writerow(
            [
                kind, _safe(code), _safe(name), one.orders, one.counts["opened"],
                one.counts["closed"], *rates,
                *("" if ms is None else f"{ms / _MINUTE_MS:.1f}" for ms in medians),
                *(one.counts[name] for name in COUNTS),
                one.called_back, one.satisfied, one.solved, *[""] * (1 + len(Verdict)),
            ]
        )  # fmt: skip
    blank = len(_head()) - 4 - len(Verdict)
    for kind, name, worth in telling.worths():
        precision = worth.precision.share
        writer.writerow(
            [
                kind, _safe(name), _safe(name), *[""] * blank,
                "" if precision is None else f"{precision:.4f}",
                *(worth.verdicts[verdict] for verdict in Verdict),
            ]
        )  # fmt: skip
    return "\ufeff" + text.getvalue()


def _head() -> list[str]:
    names = ["kind", "code", "name", "orders", "opened", "closed"]
    for stage in STAGES:
        word = str(stage).replace("-", "_")
        names += [f"{word}_on_time", f"{word}_of", f"{word}_share"]
    names += [f"median_{stage}_min" for stage in TIMED.values()]
    names += [*COUNTS, "called_back", "satisfied", "solved", "precision"]
    return names + [f"verdict_{verdict}" for verdict in Verdict]


def _safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
