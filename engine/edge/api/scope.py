"""What an account may see at all: cases of its areas and departments; the rest does not exist."""

from collections.abc import Sequence

from engine.cases.areas import covers
from engine.cases.model import Incident
from engine.cases.policy import Match
from engine.edge.api.accounts import Account

_COUNTY_DIGITS = 6


def sees(account: Account, incident: Incident) -> bool:
    """Whether an incident lies in the areas and departments of an account.

    An account of a city sees its counties and their towns. A case without an area is seen only by
    those who see everything.
    """
    departments = {incident.lead, incident.host, *incident.assisting}
    return _within(incident.area, account.areas) and (
        not account.departments or not departments.isdisjoint(account.departments)
    )


def commands(account: Account, match: Match) -> bool:
    """Whether an account may keep quiet everything that could match.

    Everything must lie in its areas. Whose case an alert would become is known only once it is
    routed, so that an account of departments keeps nothing quiet.
    """
    return not account.departments and reaches(account, match)


def reaches(account: Account, match: Match) -> bool:
    """Whether everything that could match lies in the areas of an account."""
    if not account.areas:
        return True
    return bool(match.areas) and all(_within(area, account.areas) for area in match.areas)


def stems(areas: Sequence[str]) -> tuple[str, ...]:
    """What the codes of everything in these areas begin with; `covers` decides then."""
    return tuple(map(_stem, areas))


def _stem(area: str) -> str:
    if not area.isdigit() or len(area) != _COUNTY_DIGITS:
        return area
    return area[:2] if area.endswith("0000") else area[:4] if area.endswith("00") else area


def _within(area: str, areas: Sequence[str]) -> bool:
    return not areas or (area != "" and any(covers(one, area) for one in areas))
