"""The comparison of alerts with the truth: found, missed, false, and what differs."""

from dataclasses import asdict

from simulators.scenario import Kind, Story
from simulators.truth import compare

MIN = 60_000


def story(key="a", kind=Kind.HIT, begin=0, fire=30, **more):
    hit = kind is Kind.HIT
    told = Story(
        rule="dwell",
        key=key,
        kind=kind,
        story="secret-stop",
        what="stays",
        begin_ms=begin * MIN,
        end_ms=(begin + 60) * MIN,
        fire_ms=fire * MIN if hit else None,
        since_ms=begin * MIN if hit else None,
        severity="yellow" if hit else "",
        **more,
    )
    return asdict(told)


def alert(key="a", at=30, since=0, transition="fired", severity="yellow", rule="dwell"):
    return {
        "rule": rule,
        "key": key,
        "transition": transition,
        "at_ms": at * MIN,
        "since_ms": since * MIN,
        "severity": severity,
        "episode_id": f"{rule}-{key}-{since}",
    }


def test_an_alert_at_the_right_instant_is_found():
    report = compare([story()], [alert()])
    assert report.perfect
    assert report.scores["dwell"].recall == 1.0
    assert report.scores["dwell"].median_lead_ms == 30 * MIN


def test_a_repeated_delivery_is_one_alert():
    assert compare([story()], [alert(), alert()]).perfect


def test_a_hit_without_an_alert_is_missed_with_its_reason():
    score = compare([story(), story(key="b")], [alert()]).scores["dwell"]
    assert (score.hits, score.found) == (2, 1)
    assert score.missed[0]["key"] == "b"
    assert score.missed[0]["what"] == "stays"


def test_an_alert_in_a_near_miss_is_false_and_says_where_it_came_from():
    score = compare([story(kind=Kind.NEAR_MISS)], [alert()]).scores["dwell"]
    assert score.false == 1
    assert score.spurious[0]["story"] == "secret-stop"
    assert score.precision == 0.0


def test_two_stories_of_one_key_take_an_alert_each():
    stories = [story(), story(begin=120, fire=150)]
    assert compare(stories, [alert(at=150, since=120), alert()]).perfect
    score = compare(stories, [alert()]).scores["dwell"]
    assert [row["begin_ms"] for row in score.missed] == [120 * MIN]


def test_another_instant_or_level_is_told():
    wrong = compare([story()], [alert(at=31, severity="orange")]).scores["dwell"].wrong
    assert wrong[0]["wrong"] == {
        "fire": [30 * MIN, 31 * MIN],
        "severity": ["yellow", "orange"],
    }
    assert compare([story()], [alert(at=31)], tolerance_ms=MIN).perfect


def test_climbs_clearing_and_withdrawal_are_compared():
    told = story(climbs=((50 * MIN, "orange"),), clear_ms=66 * MIN)
    raised = alert(at=50, transition="raised", severity="orange")
    cleared = alert(at=66, transition="cleared", severity="orange")
    assert compare([told], [alert(), raised, cleared]).perfect
    assert set(compare([told], [alert()]).scores["dwell"].wrong[0]["wrong"]) == {"clear", "climbs"}
    taken_back = story(retract_ms=70 * MIN)
    assert compare([taken_back], [alert(), alert(at=71, transition="retracted")]).perfect
    assert not compare([taken_back], [alert()]).perfect


def test_rules_without_stories_are_not_judged():
    assert compare([story()], [alert(), alert(rule="another")]).perfect


def test_the_report_is_read_in_lines():
    lines = compare([story(), story(key="b")], [alert(), alert(key="c")]).lines()
    assert lines == [
        "dwell: 1 of 2 found, 1 false, 0 with another instant or level",
        "  missed 1 x secret-stop",
        "  false 1 x between stories",
    ]
