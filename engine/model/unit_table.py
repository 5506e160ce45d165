"""Every unit that numbers may carry: its dimension, and how many base units one of it is."""

from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """One unit.

    Attributes:
        dimension: What it measures: `length`, `time`, `speed`, ...
        factor: Base units in one of it, exact. There are no units with an offset here: a
            temperature is in degrees Celsius or not accepted.

    """

    dimension: str
    factor: Fraction


BASE = {
    "length": "m",
    "time": "ms",
    "speed": "m/s",
    "mass": "kg",
    "money": "CNY",
    "concentration": "ug/m3",
    "area": "m2",
    "volume": "m3",
    "flow": "m3/s",
    "power": "W",
    "energy": "J",
    "pressure": "Pa",
    "temperature": "°C",
    "angle": "deg",
    "ratio": "1",
    "level": "dB",
    "voltage": "V",
    "current": "A",
    "frequency": "Hz",
    "explosive-limit": "%LEL",
}
"""The base unit of each dimension, in which the engine computes."""

_KM_H = Fraction(1000, 3600)
_NAUTICAL = 1852
_MU = Fraction(10_000, 15)

_SPELLINGS: dict[str, dict[str, Fraction | int]] = {
    "length": {
        "mm millimeter millimeters millimetre millimetres 毫米": Fraction(1, 1000),
        "cm centimeter centimeters centimetre centimetres 厘米": Fraction(1, 100),
        "m meter meters metre metres 米": 1,
        "km kilometer kilometers kilometre kilometres 公里 千米": 1000,
        "nmi 海里": _NAUTICAL,
    },
    "time": {
        "ms millisecond milliseconds 毫秒": 1,
        "s sec second seconds 秒 秒钟": 1000,
        "min minute minutes 分钟 分": 60_000,
        "h hr hour hours 小时 时": 3_600_000,
        "d day days 天 日": 86_400_000,
        "w week weeks 周": 604_800_000,
    },
    "speed": {
        "m/s mps 米/秒": 1,
        "km/h kmh kph 公里/小时 千米/小时 公里/时 千米/时": _KM_H,
        "kn knot knots 节": _KM_H * Fraction(_NAUTICAL, 1000),
        "mm/h 毫米/小时": Fraction(1, 3_600_000),
    },
    "mass": {
        "mg 毫克": Fraction(1, 1_000_000),
        "g gram grams 克": Fraction(1, 1000),
        "kg kilogram kilograms 千克 公斤": 1,
        "t tonne tonnes ton tons 吨": 1000,
    },
    "money": {
        "CNY RMB yuan 元": 1,
        "万元": 10_000,
        "亿元": 100_000_000,
    },
    "concentration": {
        "ug/m3 ug/m³ µg/m³ µg/m3 μg/m³ μg/m3 微克/立方米": 1,
        "mg/m3 mg/m³ 毫克/立方米": 1000,
        "mg/L 毫克/升": 1_000_000,
    },
    "area": {
        "m2 m² 平方米": 1,
        "km2 km² 平方公里": 1_000_000,
        "ha hectare hectares 公顷": 10_000,
        "亩": _MU,
    },
    "volume": {
        "mL 毫升": Fraction(1, 1_000_000),
        "L liter liters litre litres 升": Fraction(1, 1000),
        "m3 m³ 立方米 方": 1,
    },
    "flow": {
        "m3/s m³/s 立方米/秒": 1,
        "m3/h m³/h 立方米/小时": Fraction(1, 3600),
        "L/s 升/秒": Fraction(1, 1000),
        "L/min 升/分钟": Fraction(1, 60_000),
    },
    "power": {"W watt watts 瓦": 1, "kW 千瓦": 1000, "MW 兆瓦": 1_000_000},
    "energy": {"J 焦": 1, "kJ 千焦": 1000, "Wh 瓦时": 3600, "kWh 千瓦时": 3_600_000},
    "pressure": {
        "Pa 帕": 1,
        "hPa 百帕": 100,
        "kPa 千帕": 1000,
        "MPa 兆帕": 1_000_000,
        "bar": 100_000,
    },
    "temperature": {"°C ℃ degC celsius 摄氏度": 1},
    "angle": {"deg degree degrees °": 1},
    "ratio": {
        "% percent": Fraction(1, 100),
        "‰": Fraction(1, 1000),
        "ppm": Fraction(1, 1_000_000),
        "ppb": Fraction(1, 1_000_000_000),
    },
    "level": {"dB dBA dB(A) 分贝": 1},
    "voltage": {"mV": Fraction(1, 1000), "V 伏": 1, "kV 千伏": 1000},
    "current": {"mA": Fraction(1, 1000), "A 安": 1},
    "frequency": {"Hz 赫兹": 1},
    "explosive-limit": {"%LEL": 1},
}

UNITS: dict[str, Unit] = {
    spelling: Unit(dimension, Fraction(factor))
    for dimension, groups in _SPELLINGS.items()
    for spellings, factor in groups.items()
    for spelling in spellings.split()
}
"""Each spelling of each unit. `m` is the metre here, as feeds declare it; in rules a minute."""

PLAIN: dict[str, str] = {
    spelling: spellings.split()[0]
    for groups in _SPELLINGS.values()
    for spellings in groups
    for spelling in spellings.split()
}
"""The short spelling for each spelling: `kilometers` and `公里` are both `km`."""

IN_TEXT: dict[str, str] = {name: name for name in UNITS if name not in {"m", "°"}} | {"m": "min"}
"""What people may write after a number. `m` alone is a minute, so that distances are spelled."""

WRITTEN = {"m": "meters", "min": "m", "deg": "degrees"}
"""How the short spelling of a unit is best written after a number in a rule, where they differ."""

PRODUCTS: dict[tuple[str, str], tuple[str, Fraction]] = {
    ("speed", "time"): ("length", Fraction(1, 1000)),
    ("flow", "time"): ("volume", Fraction(1, 1000)),
    ("power", "time"): ("energy", Fraction(1, 1000)),
    ("concentration", "volume"): ("mass", Fraction(1, 1_000_000_000)),
    ("length", "length"): ("area", Fraction(1)),
    ("area", "length"): ("volume", Fraction(1)),
    ("voltage", "current"): ("power", Fraction(1)),
}
"""Which dimensions may be multiplied, what comes out, and the factor between the base units."""


def dimension(unit: str | None) -> str | None:
    """What a unit measures, or None for a bare number."""
    return UNITS[unit].dimension if unit is not None else None


def scale(unit: str, into: str) -> Fraction:
    """By what a number in `unit` is multiplied to be in `into`; both measure the same."""
    return UNITS[unit].factor / UNITS[into].factor
