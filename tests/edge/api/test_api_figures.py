"""How rules and feeds are: counted by the desk, measured by the process that reads them."""

from api_stage import staged

from engine.edge.api.figures import Figures
from engine.edge.api.masking import personal_of
from engine.edge.files import read_project
from engine.edge.metrics import Metrics
from engine.ports import Outcome
from engine.ruleset.load import load_project

FEED = """\
feed: gps
title: {en: GPS, zh: 定位}
topic: gps
format: json
key: vehicle
time: {field: at, format: epoch-ms}
fields:
  vehicle: {type: text, pii: plate}
  at: {type: time, format: epoch-ms}
  speed: {type: number}
  driver: {type: text, pii: name, optional: true}
"""
RULE = """\
rule: hazmat-stay
title: {en: Stays, zh: 停留}
status: stable
owner: traffic
severity: orange
from: gps
by: vehicle
when: {match: speed > 100}
"""
PACK = "pack: small\ntitle: {en: Small, zh: 小}\nowner: tests\nversion: 0.1.0\n"


async def test_rules_and_feeds(tmp_path):
    files = {"pack.yaml": PACK, "feeds/gps.yaml": FEED, "hazmat-stay.yaml": RULE}
    for name, text in files.items():
        (tmp_path / "small" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "small" / name).write_text(text, "utf-8")
    loaded = load_project(read_project([tmp_path / "small"]))
    project = loaded.project
    assert project is not None, loaded.problems
    assert personal_of(project).fields == {"vehicle": "plate", "driver": "name"}
    assert personal_of(project).keys == {"hazmat-stay": ("plate",)}
    metrics = Metrics()
    async with staged(tmp_path) as stage:
        figures = Figures(lambda: project, stage.keeper, metrics.registry)
        (before,) = await figures.rules()
        assert (before.alerts_open, before.alerts_day, before.healthy) == (1, 1, None)
        metrics.batch("gps", 40, 0.0, 0.0)
        metrics.reached("gps", 0, 1_700_000_000_000, stage.store.now_ms())
        space = project.rules["hazmat-stay"].space
        metrics.outcome(space, Outcome(watermark_ms=1_700_000_000_000), 0)
        (rule,) = await figures.rules()
        (feed,) = await figures.feeds()
    assert rule.healthy is True
    assert (feed.records, feed.rejected, feed.rules) == (40, 0, ["hazmat-stay"])
    assert (feed.newest_ms, feed.complete_ms) == (1_700_000_000_000, 1_700_000_000_000)
    assert feed.quiet
