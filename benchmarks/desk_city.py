"""A city for measurements of the desk: its policy, its towns, alerts as rules would tell them."""

import random
from dataclasses import replace
from pathlib import Path

from engine.cases.declared.load import load_desk
from engine.cases.policy import Policy
from engine.edge.files import read_project
from engine.model.change import Change, Transition, delivery_id, episode_id

ROOT = Path(__file__).resolve().parents[1]
AREAS = [
    f"3206{county:02d}{town:03d}" for county in (2, 12, 13, 14, 81, 82, 85) for town in range(1, 16)
]
TITLES = [
    {"zh": "危化品车辆异常驻留", "en": "Hazmat vehicle dwells"},
    {"zh": "疑似非法流动加油", "en": "Suspected mobile refuelling"},
    {"zh": "工地扬尘超标", "en": "Dust above the limit"},
    {"zh": "农民工工资未按时足额发放", "en": "Wages unpaid"},
    {"zh": "河道水位超警戒", "en": "River above warning level"},
    {"zh": "疑似群租房", "en": "Suspected group rental"},
]
RULES = [
    "hazmat-abnormal-dwell", "van-serves-trucks", "dust-tsp-high", "wage-deposit-missing",
    "river-above-warning", "suspected-group-rental",
]  # fmt: skip


def _policy() -> Policy:
    loaded = load_desk(read_project([ROOT / "rules/desk"]))
    if loaded.policy is None:
        raise SystemExit(loaded.report())
    return replace(loaded.policy, storm=replace(loaded.policy.storm, over=1_000_000))


CITY = _policy()


def alert(key: str, number: int, chance: random.Random) -> Change:
    """One alert that fires."""
    kind = chance.randrange(len(RULES))
    episode = episode_id(RULES[kind], key, number)
    return Change(
        delivery_id=delivery_id(episode, "fired", 1), episode_id=episode, rule=RULES[kind],
        rule_hash="h", key=key, transition=Transition.FIRED, ordinal=1, at_ms=number + 1,
        since_ms=number, severity=chance.choice(["yellow", "orange", "red"]), title=TITLES[kind],
        summary={"zh": f"{key}：{TITLES[kind]['zh']}", "en": f"{key}: {TITLES[kind]['en']}"},
        labels={"area": chance.choice(AREAS)}, pack=RULES[kind].split("-")[0],
        place="长江北路 88 号",
        check=[{"zh": "查看罐体与押运员证件", "en": "look at the tank"}],
        units=["应急管理局", "公安局"],
        basis=[{"title": "危险化学品安全管理条例", "article": "48"}],
        evidence={"fixes": [[120.9 + n / 1000, 32.0] for n in range(20)]},
    )  # fmt: skip
