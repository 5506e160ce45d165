"""Quantities as people read them, in Chinese and English: `45 分钟`, `2.3 km`, `300 万元`."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from engine.model.unit_table import PLAIN
from engine.text import say

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000))
_KM = 1000
_WAN = 10_000


def format_duration(ms: float, lang: str = "zh") -> str:
    """A duration by its two largest units, rounded down: `45 分钟`, `2 h 5 min`, `3 天 4 小时`."""
    rest, sign = abs(int(ms)), "-" if ms <= -_STEPS[-1][1] else ""
    words: list[str] = []
    for position, (name, size) in enumerate(_STEPS):
        count, rest = divmod(rest, size)
        if count:
            words.append(say(f"format-{name}", lang, n=count))
        if words:
            if position + 1 < len(_STEPS) and len(words) == 1:
                next_name, next_size = _STEPS[position + 1]
                if rest >= next_size:
                    words.append(say(f"format-{next_name}", lang, n=rest // next_size))
            break
    return sign + " ".join(words or [say("format-second", lang, n=0)])


def format_distance(metres: float, lang: str = "zh") -> str:
    """A distance in whole metres below one kilometre, above it in kilometres with one decimal."""
    if abs(metres) < _KM - 0.5:
        return say("format-metre", lang, n=format_number(round(metres)))
    return say("format-kilometre", lang, n=format_number(round(metres / _KM, 1)))


def format_speed(mps: float, lang: str = "zh") -> str:
    """A speed given in metres a second, in kilometres an hour."""
    return say("format-speed", lang, n=format_number(round(mps * 3.6, 1)))


def format_money(yuan: float, lang: str = "zh") -> str:
    """An amount of yuan; in Chinese from 10,000 on in 万元."""
    if lang == "zh" and abs(yuan) >= _WAN:
        return say("format-wan", lang, n=format_number(round(yuan / _WAN, 4)))
    return say("format-yuan", lang, n=format_number(round(yuan, 2)))


def format_number(value: float) -> str:
    """A number without needless zeros, with commas between thousands: `3,000,000`, `0.25`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def format_quantity(value: float, unit: str | None, lang: str = "zh") -> str:
    """A number in its own unit: durations and money in words, others `12.5 km/h`."""
    plain = PLAIN.get(unit or "")
    if plain is None:
        return format_number(value)
    if plain == "ms":
        return format_duration(value, lang)
    if plain == "CNY":
        return format_money(value, lang)
    number = format_number(round(value, 4))
    return f"{number}{plain}" if plain in {"%", "°C"} else f"{number} {unit_word(plain, lang)}"


def unit_word(plain: str, lang: str) -> str:
    """How a unit is called in a language: `公里/小时` for `km/h`; others by their sign."""
    return say(f"unit-{plain}", lang) if plain in {"m", "km", "km/h", "m/s", "min", "h"} else plain


@cache
def _zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name."""
    return ZoneInfo(name)


def format_time(ms: int, zone: str = "Asia/Shanghai", lang: str = "zh") -> str:
    """An instant by the local clock: `2026-03-02 09:30`, with seconds unless they are zero."""
    local = (_EPOCH + timedelta(milliseconds=ms)).astimezone(_zone(zone))
    name = "format-instant-seconds" if local.second else "format-instant"
    return say(name, lang, at=local)
