"""Poison rules on Kafka: five that fail, cost or grow, beside the city's own.

One divides by zero at every record, one at a few, one asks the dearest question that may be asked
of a record, one remembers a key of its own for every record, and one alerts at every record.
"""

import json
import shutil
import time
from collections import Counter
from pathlib import Path

from benchmarks.installation import Installation
from benchmarks.pressure_stage import WORKERS, Proof, Seen
from benchmarks.prove_bad_input import DIVIDES, FEED
from benchmarks.worlds import RULES, copy_pack, in_memory, program_of
from engine.alerts.budget import HOUR_MS
from engine.edge.files import read_project
from engine.ruleset.load import load_project
from engine.state.quarantine import ERRORS_ALLOWED

HEAD = """\
rule: NAME
title: {zh: 有毒规则, en: Poison rule}
status: stable
owner: proof
severity: yellow
from: vehicle-gps
dispatch: hazmat
"""
SOMETIMES = """\
by: vehicle
where: hazard_class != null
when:
  match: "accuracy / (accuracy - VALUE meters) > 1.5"
clear: "speed < 1 km/h"
"""
DEAR = """\
by: vehicle
where: hazard_class != null
when:
  match: "QUESTION"
"""
GROWS = """\
by: [vehicle, gps_time]
when:
  match: "speed >= 0 km/h"
for: 365d
limits: {keys: 300}
"""
FLOODS = """\
by: [vehicle, gps_time]
when:
  match: "speed >= 0 km/h"
keep_firing_for: 1s
limits: {alerts_per_hour: 5, keys: 20000}
"""
NAMES = ("divides-by-zero", "divides-sometimes", "dear", "grows", "floods")
KEYS, ALERTS = 300, 5
"""The budgets above."""
LONGEST, DEAR_US, TOO_LONG = 42, 250, "R302"
"""Parts of the dear question, what it may cost, and the code of one that is too long."""
MINUTE_LINES = 2
"""Each process tells of one matter once a minute; a scene takes about a minute."""


def poison_rules(proof: Proof) -> None:
    """Run the city with the five beside its rules, and compare the others' alerts."""
    report, seen = proof.report, Seen()
    pack, times = declare(proof)

    async def act(stage: Installation) -> None:
        await stage.send(proof.city.records)

    report.head("Poison rules")
    packs = {"hazmat": pack, "wages": RULES / "wages"}
    found = proof.run("rules", act, seen, packs=packs)
    alerts = Counter(one[0] for one in found.alerts if one[0] in NAMES and one[3] == "fired")
    rows = Counter(row.rule for rows in found.state.values() for row in rows if row.rule in NAMES)
    kinds: dict[str, str] = {}
    for (rule, kind), count in sorted(seen.troubles.items()):
        lines = seen.lines[rule, kind]
        kinds[rule] = kinds.get(rule, "") + f" {kind}: {count} counted, {lines} logged;"
    report.table(["rule", "alerts", "rows of state", "told"], [
        [name, alerts[name], rows[name], kinds.get(name, "").strip(" ;")] for name in NAMES
    ])  # fmt: skip
    partitions, hours = 3, _hours(proof)
    off = {rule for rule, kind in seen.troubles if kind == "rule-quarantined"}
    report.claim("the rule that always divides by zero is quarantined, in every partition",
                 off == {NAMES[0]} and seen.troubles[NAMES[0], "rule-quarantined"] == partitions,
                 f"after {ERRORS_ALLOWED} errors in each of {partitions}")  # fmt: skip
    told = seen.troubles["divides-sometimes", "rule-error"]
    report.claim("the one that seldom does is told of and goes on",
                 0 < told <= times and alerts["divides-sometimes"] > 0,
                 f"{times} errors, {alerts['divides-sometimes']} alerts")  # fmt: skip
    most = KEYS * partitions
    report.claim("the one that grows is held to its budget of keys, and told of",
                 0 < rows["grows"] <= most and seen.troubles["grows", "too-many-keys"] > 0,
                 f"{rows['grows']} rows of at most {most}")  # fmt: skip
    most = ALERTS * partitions * hours
    report.claim("the one that floods is held to its budget of alerts an hour, and told of",
                 0 < alerts["floods"] <= most and seen.troubles["floods", "too-many-alerts"] > 0,
                 f"{alerts['floods']} of at most {most}")  # fmt: skip
    worst = max(seen.lines.values(), default=0)
    report.claim("each process logs each trouble of a rule once a minute at most",
                 0 < worst <= MINUTE_LINES * len(WORKERS), f"{worst} lines of two processes, "
                 f"{seen.troubles.total()} troubles counted")  # fmt: skip
    report.claim("no worker ended and no unit lost its memory", not (seen.ended or seen.lost),
                 f"{seen.ended}, {seen.lost}")  # fmt: skip
    proof.same(found, without=NAMES)
    price(proof, pack)


def declare(proof: Proof) -> tuple[Path, int]:
    """The hazmat pack with the five; answers how often the second one will divide by zero."""
    pack = copy_pack(RULES / "hazmat", proof.folder / "poisoned-hazmat")
    fixes = [json.loads(one.value) for one in proof.city.records if one.feed == FEED and one.key]
    values = Counter(one["accuracy"] for one in fixes if one.get("hazard_class"))
    del values[None]
    value, times = next(
        pair for pair in reversed(values.most_common()) if 3 <= pair[1] < ERRORS_ALLOWED
    )
    rules = {
        "divides-by-zero": DIVIDES,
        "divides-sometimes": rule("divides-sometimes", SOMETIMES.replace("VALUE", str(value))),
        "dear": rule("dear", DEAR.replace("QUESTION", dear(LONGEST))),
        "grows": rule("grows", GROWS),
        "floods": rule("floods", FLOODS),
    }
    for name, text in rules.items():
        (pack / f"{name}.yaml").write_text(text, "utf-8")
    return pack, times


def rule(name: str, rest: str) -> str:
    """A whole declaration."""
    return HEAD.replace("NAME", name) + rest


def dear(parts: int) -> str:
    """A long question: every part is asked and none is true."""
    return " or ".join(f"matches(vehicle, '^([a-z]+[0-9]*)+x?y{n}$')" for n in range(parts))


def price(proof: Proof, pack: Path) -> None:
    """What the dear rule costs a record, in the core alone."""
    records = [(one.feed, one.value) for one in proof.city.records if one.feed == FEED]
    plain = copy_pack(RULES / "hazmat", proof.folder / "plain-hazmat")
    only_dear = copy_pack(RULES / "hazmat", proof.folder / "dear-hazmat")
    shutil.copy(pack / "dear.yaml", only_dear / "dear.yaml")
    took: dict[str, float] = {}
    for name, place in (("without", plain), ("with", only_dear)):
        program = program_of(place)
        begun = time.process_time()
        in_memory(program, records, proof.city.end_ms)
        took[name] = (time.process_time() - begun) / len(records) * 1e6
    proof.report.table(["processor time of a record in the core", "us"], [
        [f"{name} the dear rule", figure] for name, figure in took.items()
    ])  # fmt: skip
    cost = took["with"] - took["without"]
    proof.report.claim("the dearest question costs less than a quarter of a millisecond a record",
                       cost < DEAR_US, f"{cost:.0f} us")  # fmt: skip
    (only_dear / "dear.yaml").write_text(
        rule("dear", DEAR.replace("QUESTION", dear(2 * LONGEST))), "utf-8"
    )
    problems = load_project(read_project([only_dear])).problems
    codes = {problem.code for problem in problems if problem.code.startswith("R")}
    proof.report.claim("twice as long a question is refused at load", codes == {TOO_LONG},
                       ", ".join(sorted(codes)))  # fmt: skip


def _hours(proof: Proof) -> int:
    """Hours of event time that fixes touch."""
    program = program_of(RULES / "hazmat")
    decoder = program.feeds[FEED].decoder
    fixes = [one.value for one in proof.city.records if one.feed == FEED and one.key]
    times = [decoder.time_of(decoder.parse(value)) for value in (fixes[0], fixes[-1])]
    return (times[1] - times[0]) // HOUR_MS + 2
