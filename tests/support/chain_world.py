"""The small project with rules over its alerts, on two floors, one of them over a feed as well."""

from functools import cache

from small_world import FILES, compiled

from engine.ruleset.compile import Program

OVER = {
    "small/again.yaml": """
rule: again
title: {zh: 再次, en: The same car again}
owner: tests
severity: orange
from: alerts
of: [races, stays]
by: key
when: {match: {condition: transition == 'fired', times: {count: 2, within: 40m}, quiet: 5m}}
labels: {car: "{{ key }}"}
""",
    "small/many.yaml": """
rule: many
title: {zh: 多次, en: The same rule about several cars}
owner: tests
severity: red
from: alerts
by: rule
where: transition == 'fired' and held >= 0s
when: {match: {condition: severity != 'red', times: {count: 2, within: 30m}, quiet: 10m}}
""",
    "small/high.yaml": """
rule: high
title: {zh: 更高, en: Over the alerts of alerts}
owner: tests
severity: red
from: alerts
of: again
by: car
when: {match: "transition == 'fired' and held >= 0s"}
""",
    "small/drives-off.yaml": """
rule: drives-off
title: {zh: 驶离, en: Does not drive off after an alert}
owner: tests
severity: yellow
by: {alerts: key, gps: car}
of: stays
when:
  deadline:
    start: {feed: alerts, where: transition == 'fired'}
    within: 3m
    need: {feed: gps, where: speed > 20 km/h}
""",
}


@cache
def program() -> Program:
    """The compiled project."""
    return compiled(FILES | OVER)


UNPAID = """
rule: unpaid
title: {zh: 未付款, en: No payment after an alert}
owner: tests
severity: yellow
by: {alerts: key, paid: car}
of: stays
when:
  deadline:
    start: {feed: alerts, where: transition == 'fired'}
    within: 10m
    need: {feed: paid}
"""


@cache
def waiting_program() -> Program:
    """A rule that waits for alerts and for a feed that the sender of the alerts does not read."""
    files = {name: text for name, text in FILES.items() if "pays" not in name}
    return compiled(files | {"small/unpaid.yaml": UNPAID})
