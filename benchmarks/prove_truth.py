"""Truth: on labelled worlds without noise every hit is found and nothing else; with noise, why not.

The truth of a world is written from the script of each story before anything else happens to its
records. Without noise an alert must carry the very instant, start, level, climbs and clearing of
its story; with noise instants may differ by `--tolerance` seconds and every miss is named.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from benchmarks.report import Report, options
from benchmarks.why_missed import tracks, why
from benchmarks.worlds import RULES, copy_pack, in_memory, program_of, scratch, truth, write_world
from simulators.scenario import Item
from simulators.truth import Report as Scored
from simulators.truth import Score, compare

ENOUGH = 100
WORLDS: Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "fleet": ("hazmat", {"vehicles": 400, "hours": 48.0}, {"vehicles": 60, "hours": 24.0}),
    "payroll": ("wages", {"projects": 1000, "days": 240}, {"projects": 150, "days": 240}),
}


def main() -> int:
    """Score every world; exit code 1 when a claim fails."""
    parser = options(__doc__ or "")
    parser.add_argument("--tolerance", type=int, default=300, help="seconds, with noise")
    parser.add_argument("--noise", nargs="*", default=["none", "default"])
    asked = parser.parse_args()
    report = Report("truth", "Proof: alerts against labelled truth", asked)
    for kind, (pack, full, reduced) in WORLDS.items():
        for noise in asked.noise:
            sizes = {**(reduced if asked.reduced else full), "seed": asked.seed, "noise": noise}
            tolerance_ms = 0 if noise == "none" else asked.tolerance * 1000
            scored, records, extra = score(kind, pack, sizes, tolerance_ms)
            tell(report, kind, sizes, scored, records, extra)
    return report.close()


def score(
    kind: str, pack: str, sizes: dict[str, Any], tolerance_ms: int
) -> tuple[Scored, int, dict[str, Any]]:
    """Run one world through its pack and hold the alerts against the stories."""
    with scratch("truth") as folder:
        world = write_world(kind, folder / "world", **sizes)
        program = program_of(copy_pack(RULES / pack, folder / pack, folder / "world"))
        items = list(world.items())
        sent = [(item.feed, item.value) for item in items]
        run = in_memory(program, sent, world.end_ms - 1)
        plain = [msgspec.to_builtins(change) for change in run.changes]
        stories = truth(folder / "world")
        scored = compare(stories, plain, tolerance_ms)
        causes = noisy(scored, stories, items) if kind == "fleet" and tolerance_ms else {}
    extra = {
        "rejected": Counter(one.reason for one in run.rejected),
        "troubles": run.troubles,
        "causes": causes,
    }
    return scored, len(items), extra


def noisy(
    scored: Scored, stories: Sequence[Mapping[str, Any]], items: Sequence[Item]
) -> dict[str, list[list[Any]]]:
    """For each rule, its misses and false alerts, and what noise did to the fixes."""
    known = {(one["rule"], one["key"], one["begin_ms"]): one for one in stories}
    wrong = {
        rule: [
            *(("missed", row) for row in one.missed),
            *(("false", row) for row in one.spurious),
        ]
        for rule, one in scored.scores.items()
    }
    fixes = tracks(items, {row["key"] for rows in wrong.values() for _, row in rows})
    found: dict[str, list[list[Any]]] = {}
    for rule, rows in wrong.items():
        for what, row in rows:
            story = known.get((rule, row["key"], row.get("begin_ms")))
            place = None if story is None or story["place"] is None else tuple(story["place"])
            limit_ms = 0 if story is None else int(story["also"]["limit_s"] * 1000)
            figures = why(row, place, fixes.get(row["key"], []), limit_ms)
            found.setdefault(rule, []).append([what, row["story"], row["key"], *figures])
    return found


def tell(
    report: Report,
    kind: str,
    sizes: dict[str, Any],
    scored: Scored,
    records: int,
    extra: dict[str, Any],
) -> None:
    """Write one world's figures and claims."""
    clean = sizes["noise"] == "none"
    report.head(f"{kind}, noise {sizes['noise']}")
    said = ", ".join(f"{name} {value}" for name, value in sizes.items())
    report.say(
        f"{said}; {records:,} records; tolerance {scored.tolerance_ms // 1000} s. "
        f"Rejected: {dict(extra['rejected']) or 'none'}; troubles: {len(extra['troubles'])}."
    )
    header = [
        "rule",
        "hit",
        "near-miss",
        "never",
        "found",
        "recall",
        "false",
        "differs",
        "median lead, min",
    ]
    report.table(header, [_row(scored, rule) for rule in sorted(scored.scores)])
    for rule, one in sorted(scored.scores.items()):
        enough = min(scored.stories[f"{rule} {name}"] for name in ("hit", "near-miss", "never"))
        if not report.asked.reduced:
            report.claim(
                f"{rule}: at least {ENOUGH} stories of each kind", enough >= ENOUGH, enough
            )
        if clean:
            report.claim(f"{rule}: recall 1.0", one.found == one.hits, f"{one.found} of {one.hits}")
            report.claim(f"{rule}: no false alert", one.false == 0, one.false)
            report.claim(
                f"{rule}: instants, levels and ends as told", not one.wrong, len(one.wrong)
            )
        _reasons(report, one)
        if causes := extra["causes"].get(rule):
            report.say(f"{rule}: each miss and false alert, with what noise did to the fixes")
            report.table(
                ["what", "plot", "vehicle", "fixes span, min", "beyond 150 m of the first",
                 "first is off, m", "longest silence, s", "cause"], causes,
            )  # fmt: skip
    if clean:
        report.claim(
            "no rule was quarantined or throttled", not extra["troubles"], len(extra["troubles"])
        )


def _row(scored: Scored, rule: str) -> list[Any]:
    one = scored.scores[rule]
    kinds = [scored.stories[f"{rule} {name}"] for name in ("hit", "near-miss", "never")]
    lead = "" if one.median_lead_ms is None else f"{one.median_lead_ms / 60_000:.0f}"
    return [rule, *kinds, one.found, f"{one.recall:.4f}", one.false, len(one.wrong), lead]


def _reasons(report: Report, one: Score) -> None:
    """Misses, false alerts and differences by the plot they came from."""
    rows: list[list[Any]] = []
    for what, found in (("missed", one.missed), ("false", one.spurious), ("differs", one.wrong)):
        plots = Counter(
            (row["story"], row["what"], " ".join(row.get("wrong", {}))) for row in found
        )
        rows += [
            [what, plot, why, fields, count] for (plot, why, fields), count in plots.most_common()
        ]
    if rows:
        report.say(f"{one.rule}: every miss, false alert and difference, by plot")
        report.table(["what", "plot", "the plot", "which instants", "count"], rows)


if __name__ == "__main__":
    sys.exit(main())
