"""Pressure: poison records and rules, a hot key, a burst, a set clock and full disks on Kafka.

Every scene runs on a real broker and is compared with an undisturbed run of the same input:
published alerts, distinct deliveries, saved state. What is measured in seconds is measured on one
worker that has a core of its own, in paired rounds where two shapes of load are compared.
"""

import logging
import random
import sys
import time

from benchmarks.cluster import own_broker
from benchmarks.installation import LARGE, MODULES, SMALL, City, Installation
from benchmarks.lives import Lives
from benchmarks.pressure_burst import burst
from benchmarks.pressure_load import hot_key, poisoned_rate
from benchmarks.pressure_machine import broker_disk_full, clock_set, local_disk_full
from benchmarks.pressure_poison import poison_records
from benchmarks.pressure_rules import poison_rules
from benchmarks.pressure_stage import Proof
from benchmarks.report import Report, options
from benchmarks.worlds import scratch

SCENES = {
    "records": poison_records, "rules": poison_rules, "hot": hot_key, "rate": poisoned_rate,
    "burst": burst, "clock": clock_set, "disk": local_disk_full, "broker": broker_disk_full,
}  # fmt: skip

CITY = {"records", "rules", "clock", "disk", "broker"}
"""Scenes that are compared with the city's calm run."""


def main() -> int:
    """Run the scenes; exit code 1 when one of them shows."""
    parser = options(__doc__ or "", seed=5)
    parser.add_argument("--only", nargs="*", choices=list(SCENES), help="default all; reduced "
                        "leaves out how fast a poisoned backlog is drained")  # fmt: skip
    asked = parser.parse_args()
    scenes = asked.only or [name for name in SCENES if name != "rate" or not asked.reduced]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics that are just being made
    report = Report("pressure", "Proof: poison, hot key, burst, set clock, full disk", asked)
    with scratch("pressure") as folder, own_broker(folder) as bootstrap, \
            Lives((*MODULES, "benchmarks.set_clock"), asked.seed) as lives:  # fmt: skip
        city = City.make(folder, asked.seed, SMALL if asked.reduced else LARGE)
        proof = Proof(report, bootstrap, folder, city, lives, random.Random(asked.seed))
        if CITY.intersection(scenes):
            calm(proof)
        for name in scenes:
            begun = time.monotonic()
            SCENES[name](proof)
            report.say(f"This took {time.monotonic() - begun:.0f} s.")
    return report.close()


def calm(proof: Proof) -> None:
    """The run that nobody disturbs."""

    async def act(stage: Installation) -> None:
        await stage.send(proof.city.records)

    proof.calm = proof.run("calm", act, proof.calm_seen)
    proof.report.say(
        f"City of seed {proof.report.asked.seed}, default noise: {len(proof.city.records):,} "
        f"records. Two workers and a dispatcher. The undisturbed run: {len(proof.calm.alerts)} "
        f"transitions, {sum(map(len, proof.calm.state.values()))} rows of state, "
        f"{proof.calm_seen.dead.total()} dead letters, {proof.calm_seen.late} late events."
    )


if __name__ == "__main__":
    sys.exit(main())
