"""What the scenes of the pressure proof share: one city, its calm run, and how to look at a run."""

import json
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.installation import DISPATCHER, City, Installation, Result, claim_same, played
from benchmarks.lives import Lives
from benchmarks.receiver import Inbox
from benchmarks.report import Report
from benchmarks.steady import figures_at, free_port

WORKERS = ("w0", "w1")
_KIND, _RULE = re.compile(r'kind="([^"]*)"'), re.compile(r'rule="([^"]*)"')
PORT = "FOREWARN_METRICS__PORT"
Dead = Counter[tuple[str, bytes, str]]
Act = Callable[[Installation], Awaitable[None]]


@dataclass(slots=True)
class Seen:
    """What was seen of a run before its processes were ended.

    Attributes:
        dead: Feed, bytes and reason of each dead letter.
        late: Events behind the watermark.
        troubles: Rule and kind, as counted for Prometheus.
        lost: How often a unit threw its memory away.
        ended: Processes that ended by themselves.
        lines: Log lines about trouble by rule and kind.

    """

    dead: Dead = field(default_factory=Counter)
    late: int = 0
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: int = 0
    ended: int = 0
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(slots=True)
class Proof:
    """What a scene needs."""

    report: Report
    bootstrap: str
    folder: Path
    city: City
    lives: Lives
    chance: random.Random
    calm: Result | None = None
    calm_seen: Seen = field(default_factory=Seen)
    ports: Mapping[str, int] = field(default_factory=dict)

    def run(
        self, name: str, act: Act, seen: Seen, *, bootstrap: str = "",
        more: Mapping[str, str] | None = None,
        before: Callable[[Installation], None] = lambda _stage: None, **other: Any,
    ) -> Result:  # fmt: skip
        """One installation with two workers and a dispatcher.

        Args:
            name: Of its folder.
            act: Sends everything, and does harm meanwhile.
            seen: Filled with what is seen at the end.
            bootstrap: Another broker than the proof's.
            more: Environment variables of the processes.
            before: Called before the processes are started.
            other: For `played`.

        """

        async def whole(stage: Installation) -> None:
            stage.more.update(more or {})
            before(stage)
            self.ports = start(stage)
            await act(stage)
            await stage.settled(self.city.end_ms, timeout_s=120)
            await look_at(stage, self.ports, seen)

        where = bootstrap or self.bootstrap
        return played(where, self.city, name, self.lives, whole, **other)

    def same(self, found: Result, without: Collection[str] = ()) -> None:
        """What other rules than these left behind is what the calm run left behind."""
        assert self.calm is not None, "run the calm one first"
        claim_same(self.report, self.calm, [only(found, self.calm.state, without)])


def start(stage: Installation) -> dict[str, int]:
    """Start two workers and a dispatcher; answers where they tell figures."""
    ports = {name: free_port() for name in (*WORKERS, DISPATCHER)}
    for name, port in ports.items():
        stage.more[PORT] = str(port)
        stage.start(name, "dispatcher" if name == DISPATCHER else "worker")
    del stage.more[PORT]
    return ports


async def look_at(stage: Installation, ports: Mapping[str, int], seen: Seen) -> None:
    """Read dead letters, figures and logs while the processes still run."""
    for one in await stage.read(stage.layout.names.dead_letter):
        told = dict(one.headers)
        seen.dead[told["feed"].decode(), one.value or b"", told["reason"].decode()] += 1
    seen.ended = sum(life.code is not None for life in stage.lives.values())
    for name, port in ports.items():
        with suppress(OSError):  # a worker that was started again tells none
            for (what, labels), value in figures_at(port).items():
                note(seen, what, labels, int(value))
        for line in (stage.folder / f"{name}.log").read_text("utf-8", "replace").splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            seen.lost += said.get("event") == "unit-lost"
            if said.get("event") == "trouble":
                seen.lines[said["rule"], said["kind"]] += 1


def note(seen: Seen, what: str, labels: str, value: int) -> None:
    """Add one figure of a worker."""
    if what == "forewarn_core_total" and 'what="late"' in labels:
        seen.late += value
    elif what == "forewarn_troubles_total":
        kind, rule = _KIND.search(labels), _RULE.search(labels)
        assert kind
        assert rule
        seen.troubles[rule[1], kind[1]] += value


def only(found: Result, spaces: Collection[str], without: Collection[str]) -> Result:
    """A run as if these rules had not been there."""
    inbox = Inbox()
    inbox.raw = [one for one in found.inbox.raw if json.loads(one[1])["rule"] not in without]
    return replace(
        found,
        alerts=[one for one in found.alerts if one[0] not in without],
        state={
            name: [row for row in rows if row.rule not in without]
            for name, rows in found.state.items() if name in spaces
        },
        inbox=inbox,
    )  # fmt: skip
