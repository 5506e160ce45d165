"""Soak: an hour at half load; memory, files, threads, lag and saved state looked at all the time.

A real worker process alone on one core under an open-loop load (`steady.py`). Half load is half
of what this worker drains at most on this machine, measured at the start (or `--rate`). Memory
that grows shows as a slope: after warm-up the fitted line gains less than 1 MB an hour. The raw
samples stay beside the report; `--again` prints the report from them.
"""

import argparse
import asyncio
import csv
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import FOLDER, Report, commit, options
from benchmarks.steady import Sample, Steady, installation, slope
from benchmarks.streams import broker
from benchmarks.worlds import scratch
from engine.edge.streaming.changelog import META, read_back
from engine.edge.streaming.link import Link

GOAL_MB = 1.0
EVERY_S = 5.0
WARM_S = 2100.0
"""Warm-up: longer than the half hour of fixes that the rule keeps of a vehicle that stands.

In a run that is not half as long again, warm-up is its first half.
"""
RAW = "soak.csv"
FACTS = ("rate", "sent", "exit", "keys_before", "bytes_before", "keys_after", "bytes_after")
COMMIT = "commit"
"""In the raw samples, what was run: they are told again by later versions too."""


def main() -> int:
    """Load and look, or tell again what was seen; exit code 1 when a claim fails."""
    parser = options(__doc__ or "", seed=20250101)
    parser.add_argument("--minutes", type=float, default=0, help="default 60, reduced 2")
    parser.add_argument("--rate", type=int, default=0, help="records/s; default half of capacity")
    parser.add_argument("--again", type=Path, help="print the report from these raw samples")
    asked = parser.parse_args()
    asked.minutes = asked.minutes or (2 if asked.reduced else 60)
    report = Report("soak", "Proof: an hour at half load", asked)
    if asked.again:
        run, facts, samples = read_raw(asked.again)
        asked.reduced = True  # the committed report stays as the run wrote it, unless --report
        report.say(f"Told again from the raw samples of a run of commit {run}.")
        tell(report, facts, samples)
        return report.close()
    with scratch("soak") as folder, installation(broker(lasting=True), folder) as stage:
        facts, samples = soak(stage, asked)
    write_raw(asked.report.with_name(RAW) if asked.report else _raw(asked, folder), facts, samples)
    tell(report, facts, samples)
    return report.close()


def soak(stage: Steady, asked: argparse.Namespace) -> tuple[dict[str, float], list[Sample]]:
    """Run the load; answers what is known of the run as a whole, and the samples."""
    capacity = stage.capacity()
    rate = asked.rate or capacity // 2
    print(f"drained {capacity:,}/s; {rate:,}/s for {asked.minutes:g} min", flush=True)
    before = asyncio.run(saved(stage))
    load = stage.run(rate, asked.minutes * 60, every_s=EVERY_S, listen=False)
    time.sleep(2.0)
    after = asyncio.run(saved(stage))
    facts = {
        "rate": rate, "sent": load.sent, "exit": stage.stop(),
        "keys_before": before[0], "bytes_before": before[1],
        "keys_after": after[0], "bytes_after": after[1],
    }  # fmt: skip
    return facts, load.samples


async def saved(stage: Steady) -> tuple[int, int]:
    """Keys and bytes of the state that is saved."""
    link = Link(bootstrap=stage.bootstrap, app=stage.tag, prefix=stage.tag, partitions=1)
    kept = await read_back(link, f"{stage.tag}.state-vid", 0)
    kept.pop(META, None)
    return len(kept), sum(len(key) + len(value) for key, value in kept.items())


def tell(report: Report, facts: Mapping[str, float], samples: Sequence[Sample]) -> None:
    """Figures and claims."""
    lasted = samples[-1].at_s
    warm = WARM_S if lasted >= 1.5 * WARM_S else lasted / 2
    later = [one for one in samples if one.at_s >= warm]
    grown = slope(later, "rss_mb") * 3600
    behind = [one.behind_s for one in later]
    used = (later[-1].cpu_s - later[0].cpu_s) / (later[-1].at_s - later[0].at_s)
    report.say(
        f"{facts['rate']:,.0f} records/s for {lasted / 60:.0f} min, {facts['sent']:,.0f} records; "
        f"{len(samples)} looks, {len(later)} of them after {warm / 60:.0f} min of warm-up."
    )
    told = (samples[0], later[0], later[-1])
    report.table(["what", "first look", "after warm-up", "last look", "most after warm-up"], [
        [name, *(f"{float(getattr(one, key)):,.{digits}f}" for one in told),
         f"{max(float(getattr(one, key)) for one in later):,.{digits}f}"]
        for name, key, digits in (
            ("memory, MB", "rss_mb", 1),
            ("file descriptors", "files", 0),
            ("threads", "threads", 0),
            ("event time behind the clock, s", "behind_s", 3),
        )
    ])  # fmt: skip
    report.table(["what", "value"], [
        ["memory: what the fitted line gains, MB an hour", f"{grown:+.2f}"],
        ["lag: median and worst after warm-up, s",
         f"{statistics.median(behind):.3f}, {max(behind):.3f}"],
        ["lag: what the fitted line gains over the whole time, s",
         f"{slope(later, 'behind_s') * (later[-1].at_s - later[0].at_s):+.4f}"],
        ["core in use", f"{used:.0%}"],
        ["saved state before, keys and bytes",
         f"{facts['keys_before']:,.0f}, {facts['bytes_before']:,.0f}"],
        ["saved state afterwards", f"{facts['keys_after']:,.0f}, {facts['bytes_after']:,.0f}"],
    ])  # fmt: skip
    if lasted >= 1.5 * WARM_S:
        report.claim(
            f"memory grows by less than {GOAL_MB:.0f} MB an hour after warm-up",
            grown < GOAL_MB, f"{grown:+.2f} MB an hour",
        )  # fmt: skip
    else:
        more = later[-1].rss_mb - later[0].rss_mb
        text = "memory grows by less than 10 MB after warm-up (too short a run for a slope)"
        report.claim(text, more < 10, f"{more:+.1f} MB")
    report.claim(
        "file descriptors and threads do not grow after warm-up",
        later[-1].files <= later[0].files + 2 and later[-1].threads <= later[0].threads + 1,
        f"{later[0].files} to {later[-1].files}, {later[0].threads} to {later[-1].threads}",
    )
    report.claim("lag stays below 5 s", max(behind) < 5.0, f"{max(behind):.2f} s at worst")
    read = samples[-1].handled - samples[0].handled
    wanted = facts["rate"] * (samples[-1].at_s - samples[0].at_s)
    slack = 0.01 * wanted + 2 * facts["rate"]  # the figures are told once a batch
    report.claim(
        "what was sent was worked on at the same pace", abs(read - wanted) < slack,
        f"{read:,} of {wanted:,.0f} between the first look and the last",
    )  # fmt: skip
    report.claim("the worker ended well when it was told to", facts["exit"] == 0, facts["exit"])
    if not (FOLDER / RAW).exists():
        return
    command = f"python -m benchmarks.prove_soak --again docs/proofs/{RAW}"
    report.say(f"Raw samples: [{RAW}]({RAW}); `{command}` prints this report again.")


def write_raw(path: Path | None, facts: Mapping[str, float], samples: Sequence[Sample]) -> None:
    """Facts in the first two lines, then a line a sample."""
    if path is None:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([COMMIT, *FACTS])
        out.writerow([commit(), *(facts[name] for name in FACTS)])
        out.writerow(Sample._fields)
        for one in samples:
            out.writerow([
                f"{one.at_s:.2f}", one.handled, f"{one.behind_s:.4f}", f"{one.rss_mb:.2f}",
                one.files, one.threads, f"{one.cpu_s:.2f}",
            ])  # fmt: skip


def read_raw(path: Path) -> tuple[str, dict[str, float], list[Sample]]:
    """What `write_raw` wrote: what was run, what is known of the run, and the samples."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    facts = dict(zip(rows[0][1:], map(float, rows[1][1:]), strict=True))
    kinds: list[Any] = [float, int, float, float, int, int, float]
    samples = [
        Sample(*(kind(text) for kind, text in zip(kinds, row, strict=True))) for row in rows[3:]
    ]
    return rows[1][0], facts, samples


def _raw(asked: argparse.Namespace, folder: Path) -> Path | None:
    """Where the raw samples go: beside the committed report, or nowhere in a reduced run."""
    del folder
    return None if asked.reduced else FOLDER / RAW


if __name__ == "__main__":
    sys.exit(main())
