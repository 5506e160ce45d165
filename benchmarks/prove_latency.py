"""Latency: from the instant an event was due to its alert on the topic, at a set rate, on one core.

A real worker process alone on one core, with the delivery recipe; the load is open-loop
(`steady.py`). Beside the alerts a bare aiokafka consumer reads the same records at the same time,
so that what the broker and the machine cost is seen too. Levels: the peak of the mission's city
(23,150/s) and half of what this worker drains at most. Then the peak is held. Targets: p99 to the
alert at most 10 ms over p99 of the bare consumer at the peak (G15); the peak held for ten minutes
with lag flat.
"""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.report import Report, options
from benchmarks.steady import PEAK, Load, installation, share, slope
from benchmarks.streams import broker
from benchmarks.worlds import scratch

G15_MS = 10.0
WARM = 0.1
"""This part of the pairs, the first, is left out: connections open, code is new."""


def main() -> int:
    """Measure and report; exit code 1 when a claim fails."""
    parser = options(__doc__ or "", seed=20250101)
    parser.add_argument("--seconds", type=float, default=0, help="a level; default 60, reduced 12")
    parser.add_argument("--minutes", type=float, default=0, help="hold; default 10, reduced 0.5")
    parser.add_argument("--rates", type=int, nargs="*", help="instead of the two levels")
    asked = parser.parse_args()
    asked.seconds = asked.seconds or (12 if asked.reduced else 60)
    asked.minutes = asked.minutes or (0.5 if asked.reduced else 10)
    report = Report("latency", "Proof: from the event to its alert", asked)
    with scratch("latency") as folder, installation(broker(lasting=True), folder) as stage:
        capacity = stage.capacity()
        report.say(f"Drained from a backlog at {capacity:,} records/s on one core.")
        rates = asked.rates or [PEAK, capacity // 2]
        levels = [stage.run(rate, asked.seconds) for rate in rates]
        held = stage.run(PEAK, asked.minutes * 60, every_s=1.0)
        ended = stage.stop()
    tell_levels(report, levels, asked)
    tell_hold(report, held, asked)
    report.claim("the worker ended well when it was told to", ended == 0, ended)
    return report.close()


def tell_levels(report: Report, levels: Sequence[Load], asked: Any) -> None:
    """Latency at each level, and G15."""
    report.head("Latency")
    rows = []
    for load in levels:
        bare, alert, more = parted(load)
        used = load.samples[-1].cpu_s - load.samples[0].cpu_s
        lasted = load.samples[-1].at_s - load.samples[0].at_s
        rows.append([
            f"{load.rate:,}", f"{load.sent:,}", f"{len(load.pairs):,}",
            *(f"{share(some, part):.1f}" for some in (bare, alert) for part in (0.5, 0.99)),
            f"{share(alert, 0.99) - share(bare, 0.99):.1f}",
            *(f"{share(more, part):.1f}" for part in (0.5, 0.99)),
            f"{used / lasted:.0%}", f"{load.late_ms:.0f}",
        ])  # fmt: skip
    report.table(
        ["records/s", "sent", "alerts", "bare p50 ms", "bare p99", "alert p50 ms", "alert p99",
         "p99 over bare", "pairwise more p50", "p99", "core in use", "producer late at most ms"],
        rows,
    )  # fmt: skip
    for load in levels:
        report.claim(
            f"at {load.rate:,}/s every probe that was due raised one alert",
            load.unanswered <= 1 and load.twice == 0 and len(load.pairs) >= load.probes - 1,
            f"{len(load.pairs):,} of {load.probes:,}, {load.twice} twice",
        )
    bare, alert, _ = parted(levels[0])
    over = share(alert, 0.99) - share(bare, 0.99)
    text = f"G15: p99 to the alert is at most {G15_MS:.0f} ms over p99 of a bare consumer"
    report.claim(f"{text} at {levels[0].rate:,}/s", over <= G15_MS, f"{over:.1f} ms")
    report.say(
        f"{asked.seconds:.0f} s a level, the first {WARM:.0%} of the pairs left out. From the "
        "instant a record was due to be sent, so a late producer counts against both. An alert "
        "counts when a consumer of committed records has it: the transaction with state, alerts "
        "and positions lies between. A rule hears an event when event time has passed it, here "
        "with the next millisecond's record."
    )


def parted(load: Load) -> tuple[list[float], list[float], list[float]]:
    """Latencies of the bare consumer, of alerts, and pair by pair what alerts take more."""
    pairs = load.pairs[int(len(load.pairs) * WARM) :]
    return [one for one, _ in pairs], [two for _, two in pairs], [two - one for one, two in pairs]


def tell_hold(report: Report, held: Load, asked: Any) -> None:
    """Lag over the time that the peak was held."""
    report.head(f"{held.rate:,}/s held for {asked.minutes:g} min on one core")
    lasting = [one for one in held.samples if one.at_s >= 5]
    grown = slope(lasting, "behind_s") * (lasting[-1].at_s - lasting[0].at_s)
    edge = max(1, len(lasting) // 10)
    first = share([one.behind_s for one in lasting[:edge]], 0.5)
    last = share([one.behind_s for one in lasting[-edge:]], 0.5)
    worst = max(one.behind_s for one in lasting)
    used = (lasting[-1].cpu_s - lasting[0].cpu_s) / (lasting[-1].at_s - lasting[0].at_s)
    bare, alert, _ = parted(held)
    report.table(["what", "value"], [
        ["records sent", held.sent],
        ["alerts, and of how many probes", f"{len(held.pairs):,} of {held.probes:,}"],
        ["event time behind the clock, median of the first and the last tenth, s",
         f"{first:.3f}, {last:.3f}"],
        ["the same at worst, s", f"{worst:.3f}"],
        ["what the fitted line gains over the whole time, s", f"{grown:+.4f}"],
        ["core in use", f"{used:.0%}"],
        ["memory at the first and at the last look, MB",
         f"{held.samples[0].rss_mb:.0f}, {held.samples[-1].rss_mb:.0f}"],
        ["p50 and p99 to the alert, ms", f"{share(alert, 0.5):.1f}, {share(alert, 0.99):.1f}"],
        ["p50 and p99 of the bare consumer, ms",
         f"{share(bare, 0.5):.1f}, {share(bare, 0.99):.1f}"],
    ])  # fmt: skip
    report.claim(
        "lag is flat: the fitted line gains less than 0.1 s, and it was never above 5 s",
        grown < 0.1 and worst < 5.0,
        f"{grown:+.4f} s, at most {worst:.2f} s",
    )
    report.claim(
        "every probe that was due raised one alert",
        held.unanswered <= 1 and held.twice == 0 and len(held.pairs) >= held.probes - 1,
        f"{len(held.pairs):,} of {held.probes:,}, {held.twice} twice",
    )


if __name__ == "__main__":
    sys.exit(main())
