"""A park has no code of the city's, but lies in it: what holds for the city holds there."""

from dataclasses import replace
from pathlib import Path

from cases_stage import CITY, change
from desk_stage import Clock, a_keeper
from sqlalchemy import select

from engine.cases.model import Tier
from engine.cases.policy import Centre, Inhibition, Match
from engine.edge.desk.book import decode_incident
from engine.edge.desk.tables import incident_bodies

EVERY = select(incident_bodies.c.body)
PARK = "park-7"
HIDING = replace(
    CITY,
    centres={**CITY.centres, PARK: Centre(PARK, Tier.TOWN, {"zh": "园"}, above="320682")},
    inhibitions=(
        Inhibition(
            "a-hides-b",
            Match(rules=("a",), areas=("320682",)),
            Match(rules=("b",)),
        ),
    ),
)


async def test_an_inhibition_of_a_county_holds_in_its_park(database: str, tmp_path: Path) -> None:
    clock = Clock()
    async with a_keeper(tmp_path, database, clock, HIDING) as keeper:
        await keeper.take([change(rule="a", area=PARK)])
        await keeper.take([change(rule="b", key="other", area=PARK)])
        shown = await keeper.store.read(
            lambda link: [decode_incident(body).mute for body in link.scalars(EVERY)]
        )
    assert sorted(shown) == ["", "inhibition:a-hides-b"]
