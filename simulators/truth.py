"""What the rules made of a world, held against its truth: found, missed, false, early or late.

Works on plain dicts: stories as `truth.jsonl` has them, and alert changes as every sink gets them
(`rule`, `key`, `transition`, `at_ms`, `since_ms`, `severity`, `episode_id`). An alert belongs to
the story of its rule and key whose firing instant is nearest, within the tolerance.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(slots=True)
class Score:
    """One rule's result.

    Attributes:
        hits: Stories that had to fire.
        found: Of these, how many fired.
        false: Alerts that belong to no story that had to fire.
        missed: Hits without an alert, each with its plot and reason.
        spurious: False alerts, each with the plot it came from, if one was playing.
        wrong: Found alerts whose instant, start, level, climb, clearing or withdrawal differs.
        lead_ms: For each found story that ended, how long before its end the alert came.

    """

    rule: str
    hits: int = 0
    found: int = 0
    false: int = 0
    missed: list[dict[str, Any]] = field(default_factory=list)
    spurious: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    lead_ms: list[int] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """Share of the hits that were found; 1 if there was nothing to find."""
        return self.found / self.hits if self.hits else 1.0

    @property
    def precision(self) -> float:
        """Share of the alerts that belong to a hit; 1 if there were none."""
        alerts = self.found + self.false
        return self.found / alerts if alerts else 1.0

    @property
    def median_lead_ms(self) -> int | None:
        """The middle of the lead times."""
        return sorted(self.lead_ms)[len(self.lead_ms) // 2] if self.lead_ms else None


@dataclass(slots=True)
class Report:
    """The result of a world, rule by rule, and the number of stories by rule and kind."""

    scores: dict[str, Score]
    stories: Counter[str]
    tolerance_ms: int

    @property
    def perfect(self) -> bool:
        """Everything found, nothing false, every instant and level right."""
        return all(
            score.found == score.hits and not score.false and not score.wrong
            for score in self.scores.values()
        )

    def plain(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        scores = {
            rule: {
                **asdict(score),
                "recall": score.recall,
                "precision": score.precision,
                "median_lead_ms": score.median_lead_ms,
                "missed_by_plot": dict(Counter(row["story"] for row in score.missed)),
                "false_by_plot": dict(Counter(row["story"] for row in score.spurious)),
                "wrong_by_what": dict(
                    Counter(what for row in score.wrong for what in row["wrong"])
                ),
            }
            for rule, score in sorted(self.scores.items())
        }
        for score in scores.values():
            del score["lead_ms"]
        return {"rules": scores, "stories": dict(self.stories), "tolerance_ms": self.tolerance_ms}

    def lines(self) -> list[str]:
        """The report in a few lines, one a rule and one for each kind of miss."""
        lines = []
        for rule, score in sorted(self.scores.items()):
            head = f"{rule}: {score.found} of {score.hits} found, {score.false} false"
            lines.append(f"{head}, {len(score.wrong)} with another instant or level")
            for word, rows in (("missed", score.missed), ("false", score.spurious)):
                for plot, count in Counter(row["story"] for row in rows).most_common():
                    lines.append(f"  {word} {count} x {plot}")
        return lines


def compare(truth: Iterable[Row], alerts: Iterable[Row], tolerance_ms: int = 0) -> Report:
    """Hold alerts against the truth.

    Args:
        truth: Stories; only rules that occur in them are judged.
        alerts: Changes of alerts, in any order, repeats allowed.
        tolerance_ms: How far instants may differ; 0 for a world without noise.

    """
    stories: dict[tuple[str, str], list[Row]] = defaultdict(list)
    counts: Counter[str] = Counter()
    scores: dict[str, Score] = {}
    for story in truth:
        rule = story["rule"]
        stories[rule, story["key"]].append(story)
        counts[f"{rule} {story['kind']}"] += 1
        score = scores.setdefault(rule, Score(rule))
        score.hits += story["kind"] == "hit"
    taken: set[int] = set()
    for changes in _episodes(alerts, scores):
        fired = changes[0]
        rule = fired["rule"]
        playing = stories[rule, fired["key"]]
        match = _nearest(fired, playing, taken, tolerance_ms)
        if match is None:
            scores[rule].false += 1
            scores[rule].spurious.append(_suspect(fired, playing, tolerance_ms))
            continue
        taken.add(id(match))
        scores[rule].found += 1
        _judge(scores[rule], match, changes, tolerance_ms)
    for (rule, _), playing in stories.items():
        for story in playing:
            if story["kind"] == "hit" and id(story) not in taken:
                scores[rule].missed.append(_named(story))
    return Report(scores, counts, tolerance_ms)


def _episodes(alerts: Iterable[Row], rules: Mapping[str, Score]) -> list[list[Row]]:
    """The changes of each episode in order, repeats dropped, episodes by their first instant."""
    episodes: dict[str, dict[tuple[int, str, str], Row]] = defaultdict(dict)
    for change in alerts:
        if change["rule"] in rules:
            name = change.get("episode_id") or json.dumps(
                [change["rule"], change["key"], change["since_ms"]]
            )
            same = (change["at_ms"], str(change["transition"]), change["severity"])
            episodes[name][same] = change
    ordered = [
        [change for _, change in sorted(changes.items(), key=_first_things_first)]
        for changes in episodes.values()
    ]
    return sorted(ordered, key=lambda changes: (changes[0]["at_ms"], changes[0]["key"]))


_ORDER = {"fired": 0, "raised": 1, "updated": 2, "cleared": 3, "retracted": 3}


def _first_things_first(entry: tuple[tuple[int, str, str], Row]) -> tuple[int, int]:
    (at_ms, transition, _), _ = entry
    return at_ms, _ORDER.get(transition, 4)


def _nearest(fired: Row, playing: Sequence[Row], taken: set[int], tolerance_ms: int) -> Row | None:
    """The untaken hit whose firing instant is nearest, if it is near enough."""
    near = [
        (abs(story["fire_ms"] - fired["at_ms"]), number)
        for number, story in enumerate(playing)
        if story["kind"] == "hit" and id(story) not in taken
    ]
    if not near:
        return None
    far, number = min(near)
    story = playing[number]
    began_alike = abs(story["since_ms"] - fired["since_ms"]) <= tolerance_ms
    within = story["begin_ms"] <= fired["at_ms"] <= (story["end_ms"] or fired["at_ms"])
    return story if far <= tolerance_ms or began_alike or within else None


def _judge(score: Score, story: Row, changes: Sequence[Row], tolerance_ms: int) -> None:
    """Note what differs between a found story and its alert."""
    fired, wrong = changes[0], {}
    raised = [
        (change["at_ms"], change["severity"])
        for change in changes
        if change["transition"] == "raised"
    ]
    for name, expected, found in (
        ("fire", story["fire_ms"], fired["at_ms"]),
        ("since", story["since_ms"], fired["since_ms"]),
        ("clear", story["clear_ms"], _when(changes, "cleared")),
    ):
        if not _alike(expected, found, tolerance_ms):
            wrong[name] = [expected, found]
    if fired["severity"] != story["severity"]:
        wrong["severity"] = [story["severity"], fired["severity"]]
    climbs = [(at_ms, severity) for at_ms, severity in story["climbs"]]
    if [severity for _, severity in climbs] != [severity for _, severity in raised] or not all(
        _alike(expected[0], found[0], tolerance_ms)
        for expected, found in zip(climbs, raised, strict=True)
    ):
        wrong["climbs"] = [climbs, raised]
    if (story["retract_ms"] is None) != (_when(changes, "retracted") is None):
        wrong["retract"] = [story["retract_ms"], _when(changes, "retracted")]
    if wrong:
        score.wrong.append({**_named(story), "wrong": wrong})
    if story["end_ms"] is not None:
        score.lead_ms.append(story["end_ms"] - fired["at_ms"])


def _when(changes: Sequence[Row], transition: str) -> int | None:
    """When a transition happened last."""
    found = [change["at_ms"] for change in changes if change["transition"] == transition]
    return found[-1] if found else None


def _alike(expected: int | None, found: int | None, tolerance_ms: int) -> bool:
    if expected is None or found is None:
        return expected == found
    return abs(expected - found) <= tolerance_ms


def _suspect(fired: Row, playing: Sequence[Row], tolerance_ms: int) -> dict[str, Any]:
    """A false alert with the story that was playing when its situation began."""
    on = [
        story
        for story in playing
        if story["begin_ms"] <= fired["at_ms"]
        and fired["at_ms"] <= (story["end_ms"] or fired["at_ms"]) + tolerance_ms
    ]
    plot = _named(on[-1]) if on else {"story": "between stories", "what": ""}
    return {**plot, "key": fired["key"], "at_ms": fired["at_ms"], "since_ms": fired["since_ms"]}


def _named(story: Row) -> dict[str, Any]:
    names = ("key", "story", "what", "begin_ms", "end_ms", "fire_ms")
    return {name: story[name] for name in names}
