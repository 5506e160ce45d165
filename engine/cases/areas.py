"""Which area an alert means, whatever it calls it, and which centres command that area.

Administrative codes are hierarchical: `320600` the city, `320612` a county of it, `320612001` a
town of that (GB/T 2260 and its extension). Parks without such a code have one of their own and,
where it does not begin with the digits of those above them, a centre that says who is `above`.
"""

from collections.abc import Iterator, Mapping
from typing import final

from engine.cases.model import Tier
from engine.cases.policy import Centre

_ORDER = (Tier.TOWN, Tier.COUNTY, Tier.CITY)
_SIX, _PAIR = 6, 2


def stem(code: str) -> str:
    """What every code inside an area begins with: `3206` for `320600`."""
    if len(code) == _SIX:
        while code.endswith("00") and len(code) > _PAIR:
            code = code[:-_PAIR]
    return code


def covers(outer: str, code: str) -> bool:
    """Whether an area is another one or holds it, told by the codes alone."""
    return bool(outer) and code.startswith(stem(outer))


def rank(tier: Tier) -> int:
    """How wide a tier is: 0 for the town."""
    return _ORDER.index(tier)


@final
class Areas:
    """The centres of a desk and the areas they command."""

    def __init__(self, centres: Mapping[str, Centre]) -> None:
        self._centres = centres
        self._names: dict[str, str] = {}
        several: set[str] = set()
        for code, centre in centres.items():
            for name in {*centre.title.values(), *centre.also}:
                if self._names.setdefault(name, code) != code:
                    several.add(name)  # towns of two counties: the name alone says nothing
        for name in several:
            del self._names[name]
        self._older = sorted((name for name in self._names if name.isdigit()), key=len)

    @property
    def city(self) -> Centre | None:
        """The centre of the city, which has also what lies in no area that is known."""
        return next((one for one in self._centres.values() if one.tier is Tier.CITY), None)

    def code_of(self, text: str) -> str:
        """The code that a text means: a code, an older one, or a name; empty for none of ours."""
        if text in self._centres:
            return text
        if text in self._names:
            return self._names[text]
        around = self.around(text)
        older = [name for name in self._older if covers(name, text)]
        if older and (around is None or len(stem(older[-1])) > len(stem(around.area))):
            return self._names[older[-1]]
        return text if around is not None else ""

    def around(self, code: str) -> Centre | None:
        """The centre of the narrowest area of ours that a code is, or lies in."""
        holding = [one for one in self._centres.values() if covers(one.area, code)]
        return max(holding, key=_narrow, default=None)

    def above(self, centre: Centre) -> Centre | None:
        """The centre that another's cases are lifted to; None above the city."""
        if centre.above:
            return self._centres.get(centre.above)
        own = stem(centre.area)
        wider = [one for one in self._centres.values() if covers(one.area, own)]
        wider = [one for one in wider if rank(one.tier) > rank(centre.tier)]
        return max(wider, key=_narrow, default=None)

    def line(self, code: str) -> Iterator[Centre]:
        """The centres that command an area, from the nearest upwards; the city's for no area."""
        seen: set[str] = set()
        centre = (self.around(code) if code else None) or self.city
        while centre is not None and centre.area not in seen:
            seen.add(centre.area)
            yield centre
            centre = self.above(centre)

    def within(self, code: str) -> tuple[str, ...]:
        """An area and the areas of ours that it lies in, from the narrowest to the widest."""
        if not code or self.around(code) is None:
            return (code,) if code else ()
        return tuple(dict.fromkeys((code, *(centre.area for centre in self.line(code)))))

    def centre(self, code: str, tier: Tier) -> Centre | None:
        """The centre of a tier that commands an area, or the next one above where there is none."""
        return next((one for one in self.line(code) if rank(one.tier) >= rank(tier)), None)


def _narrow(centre: Centre) -> tuple[int, str]:
    """How narrow the area of a centre is; of two alike the code decides."""
    return len(stem(centre.area)), centre.area
