"""Poison records on Kafka: one record in ten, and whole bursts, are no events of their feed.

Every kind of `prove_bad_input` and those that only Kafka can carry: null, empty, a megabyte, and
16 MB that were squeezed into a record which the topic takes.
"""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from benchmarks.installation import Installation
from benchmarks.pressure_stage import Dead, Proof, Seen
from benchmarks.prove_bad_input import FEED, KINDS
from benchmarks.streams import Sent
from engine.decode.generate import LARGEST_RECORD

MEGABYTE = 1 << 20
ODD: dict[str, tuple[bytes | None, str]] = {
    "null": (None, "not-json"),
    "empty": (b"", "not-json"),
    "900 kB of one letter": (b"x" * 900_000, "not-json"),
    "1 MB and one byte": (b'{"vehicle": "' + b"x" * (MEGABYTE - 14) + b'"}', "too-large"),
    "8 MB, the most a topic of ours takes": (b"y" * (8 * MEGABYTE - 200), "too-large"),
    "16 MB squeezed into 16 kB": (b"z" * (16 * MEGABYTE), "too-large"),
}
"""What only a broker can bring."""
TIMES: dict[str, tuple[str, str]] = {
    "in the year 2099": ("2099-01-01 00:00:00", "too-far-ahead"),
    "in the year 1970": ("1970-01-01 08:00:01", "late"),
    "in the year 1999": ("1999-12-31 23:59:59", "late"),
}
"""Times far off; an event of long ago is an event, counted as late."""
BURST = 1_500
"""So many bad records follow each other without a good one, at three places."""


class Bad(NamedTuple):
    """One record that is no event: its kind, how it is sent, and what should become of it."""

    kind: str
    feed: str
    key: str
    value: bytes | None
    reason: str


@dataclass(slots=True)
class Mixture:
    """Records in the order in which they are sent; the bad ones among them."""

    pieces: list[list[Sent]] = field(default_factory=list)
    odd: list[list[Bad]] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)


def poison_records(proof: Proof) -> None:
    """Run the city with poison in every feed, and compare."""
    report, seen, sizes = proof.report, Seen(), (8, 1)
    mixture = mix(proof.city.records, proof.chance, 1 if report.asked.reduced else 3, sizes)

    async def act(stage: Installation) -> None:
        for some, odd in zip(mixture.pieces, mixture.odd, strict=True):
            await stage.send(some)
            await send_odd(stage, odd)

    report.head("Poison records")
    found = proof.run("poison", act, seen)
    calm, wanted = proof.calm_seen, expected(mixture.bad)
    lost, extra = wanted - (seen.dead - calm.dead), seen.dead - calm.dead - wanted
    late = sum(one.reason == "late" for one in mixture.bad)
    report.table(["what", "sent"], [
        ["good records", len(proof.city.records)], ["bad records", len(mixture.bad)],
        ["kinds", len({one.kind for one in mixture.bad})],
        ["of them in bursts of 100 %", 3 * BURST],
    ])  # fmt: skip
    report.table(["reason", "dead letters"], sorted(_reasons(seen.dead - calm.dead).items()))
    share = len(mixture.bad) / (len(mixture.bad) + len(proof.city.records))
    report.claim("at least one record in ten is bad", share >= 0.1, f"{share:.0%}")
    report.claim("every bad record is a dead letter with the expected reason and its bytes "
                 "(the first megabyte of larger ones)", not lost, lost.total())  # fmt: skip
    report.claim("the dead letters hold nothing else", not extra, extra.total())
    report.claim("events of long ago are counted as late and are no dead letters",
                 seen.late - calm.late == late, f"{seen.late - calm.late} of {late}")  # fmt: skip
    report.claim("no worker ended and no unit lost its memory", not (seen.ended or seen.lost),
                 f"{seen.ended}, {seen.lost}")  # fmt: skip
    proof.same(found)
    for name, some in (("missing", lost), ("unexpected", extra)):
        if some:
            report.say(name)
            lines = [f"{feed} {reason} {value[:80]!r} x {count}"
                     for (feed, value, reason), count in some.most_common(12)]  # fmt: skip
            report.code("\n".join(lines))


def mix(
    good: list[Sent], chance: random.Random, each: int, sizes: tuple[int, int], pieces: int = 12
) -> Mixture:
    """Weave bad records between the good ones: one in nine anywhere, and three bursts."""
    fixes = [one for one in good if one.feed == FEED and one.key]
    common, rare = sizes
    made = [_broken(kind, chance.choice(fixes)) for kind in KINDS for _ in range(common)]
    stamped = [one for one in fixes if json.loads(one.value).get("hazard_class")]
    old = [_stamped(kind, chance.choice(stamped)) for kind in TIMES for _ in range(common)]
    others = sorted({one.feed for one in good} - {FEED})
    made += [Bad("words", feed, "k", b"not a record", "not-json") for feed in others
             for _ in range(common)]  # fmt: skip
    while len(made) < len(good) // 8:
        made.append(_broken(chance.choice(list(KINDS)), chance.choice(fixes)))
    chance.shuffle(made)
    places: dict[int, list[Bad]] = {}
    mixture = Mixture(bad=list(made))
    for number in range(3):  # old times come when there is something to be late for
        burst = [_broken(chance.choice(list(KINDS)), chance.choice(fixes)) for _ in range(BURST)]
        burst += old[number::3]
        places[chance.randrange(len(good) // 4, len(good))] = burst
        mixture.bad += burst
    line: list[Sent] = []
    spots = sorted(chance.randrange(len(good)) for _ in made)
    for number, one in enumerate(good):
        while spots and spots[0] <= number:
            spots.pop(0)
            line.append(_sent(made.pop()))
        line += map(_sent, places.get(number, []))
        line.append(one)
    line += map(_sent, made)
    step = len(line) // pieces + 1
    mixture.pieces = [line[start : start + step] for start in range(0, len(line), step)]
    odd = [Bad(kind, FEED, "", value, reason) for kind, (value, reason) in ODD.items()
           for _ in range(rare * each)]  # fmt: skip
    chance.shuffle(odd)
    mixture.bad += odd
    mixture.odd = [odd[number :: len(mixture.pieces)] for number in range(len(mixture.pieces))]
    return mixture


def expected(bad: list[Bad]) -> Dead:
    """The dead letters that must be there; a large one is cut."""
    return Counter(
        (one.feed, (one.value or b"")[:LARGEST_RECORD], one.reason)
        for one in bad if one.reason != "late"
    )  # fmt: skip


async def send_odd(stage: Installation, odd: list[Bad]) -> None:
    """Send what a usual producer would not: nulls, and giants that are small once compressed."""
    producer = AIOKafkaProducer(
        bootstrap_servers=stage.bootstrap, compression_type="gzip", acks="all",
        enable_idempotence=True, max_request_size=64 * MEGABYTE,
    )  # fmt: skip
    await producer.start()
    try:
        for number, one in enumerate(odd):
            topic = stage.layout.feeds[one.feed]
            partition = number % stage.layout.counts[topic]
            key = None if one.value else b"k"  # the client wants one or the other
            await producer.send_and_wait(topic, one.value, key, partition=partition)
    finally:
        await producer.stop()


def _broken(kind: str, good: Sent) -> Bad:
    make, reason = KINDS[kind]
    return Bad(kind, FEED, good.key, make(json.loads(good.value)), reason)


def _stamped(kind: str, good: Sent) -> Bad:
    stamp, reason = TIMES[kind]
    value = json.dumps({**json.loads(good.value), "gps_time": stamp}).encode()
    return Bad(kind, FEED, good.key, value, reason)


def _sent(one: Bad) -> Sent:
    return Sent(one.feed, one.key, one.value or b"")


def _reasons(dead: Dead) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, _, reason), count in dead.items():
        found[reason] += count
    return found
