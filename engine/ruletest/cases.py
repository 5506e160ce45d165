"""A test file into cases: what is fed, when, and what is expected, or every problem at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import Location, Problem
from engine.ruleset.document import Document, Path
from engine.ruleset.spec import AS_DECLARED, Project, Severity, SharedAs, variants
from engine.ruleset.stages import with_lower
from engine.ruletest.expect import Expectation, Word
from engine.ruletest.moments import MINUTE_MS, Moments, Unreadable
from engine.ruletest.reader import Reader, nearest
from engine.ruletest.story import Given, Teller
from engine.ruletest.traces import TraceLine, read_traces

START = "2026-03-02 09:00"
"""A Monday morning with no holiday near it."""

_FILE = ("tests", "rules", "defaults")
_CASE = (
    "name", "rules", "feed", "start", "until", "every", "track", "jitter", "series", "set",
    "events", "tables", "lists", "overrides", "expect", "expect_trace",
)  # fmt: skip
_LINE = ("at", "severity", "text", "key", "rule", "reason")


@dataclass(frozen=True, slots=True)
class Case:
    """One test: records in, alerts expected.

    Attributes:
        rules: Ids of the rules that run; the alerts of all of them are compared.
        moments: The case's clock.
        until_ms: Event time up to which timers fire, inclusive.
        tables: Rows, as declared, that take the place of a table's own.
        shared: What it says about lists and overrides.
        traces: Where keys must have stopped on their way to an alert.

    """

    name: str
    at: Location
    rules: tuple[str, ...]
    moments: Moments
    until_ms: int
    given: tuple[Given, ...]
    expected: tuple[Expectation, ...]
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    shared: SharedAs = AS_DECLARED
    traces: tuple[TraceLine, ...] = ()


def read_cases(document: Document, project: Project) -> tuple[list[Case], list[Problem]]:
    """Read one test file. `<rule>_test.yaml` tests that rule unless `rules:` names others."""
    reader = Reader(document)
    top = reader.mapping(document.value, (), _FILE)
    if "tests" not in top:
        reader.blame(reader.at(()), "T102", name="tests")
        return [], reader.problems
    file_rules = top.get("rules") or _subject(document.file)
    defaults = reader.mapping(top.get("defaults", {}), ("defaults",), _CASE)
    cases, names = [], set()
    for index, value in enumerate(reader.sequence(top["tests"], ("tests",))):
        path: Path = ("tests", index)
        body = reader.mapping(value, path, _CASE)
        case = _CaseReader(reader, project, path, {"rules": file_rules, **defaults, **body}).read()
        if case is None:
            continue
        if case.name in names:
            reader.blame(reader.at((*path, "name")), "T112", name=case.name)
        names.add(case.name)
        cases.append(case)
    return cases, reader.problems


def _subject(file: str) -> str:
    stem = file.replace("\\", "/").rsplit("/", 1)[-1]
    return stem.removesuffix(".yaml").removesuffix("_test")


@dataclass(slots=True)
class _CaseReader:
    """One case being read. `body` holds its values with the file's defaults put in."""

    reader: Reader
    project: Project
    path: Path
    body: Mapping[str, Any]

    def read(self) -> Case | None:
        """The case, or None when what is wrong with it leaves nothing to run."""
        before = len(self.reader.problems)
        shared = self._shared()
        if shared != AS_DECLARED and self.project.otherwise is not None:
            self.project = self.project.otherwise(shared) or self.project
        for name in ("name", "expect"):
            if name not in self.body:
                self.reader.blame(self.reader.at(self.path), "T102", name=name)
        rules = self._rules()
        moments = self._moments(rules)
        if moments is None or not rules:
            return None
        teller = Teller(self.reader, self.project, self._feeds(rules), moments, self.path)
        given = teller.tell(self.body)
        expected = self._expected(moments)
        traces = self._traces(rules)
        until = self._until(moments, given, expected)
        if len(self.reader.problems) > before:
            return None
        return Case(
            name=str(self.body["name"]),
            at=self.reader.at(self.path),
            rules=rules,
            moments=moments,
            until_ms=until,
            given=tuple(given),
            expected=tuple(expected),
            tables=self._tables(),
            shared=shared,
            traces=traces,
        )

    def _traces(self, rules: Sequence[str]) -> tuple[TraceLine, ...]:
        if "expect_trace" not in self.body:
            return ()
        path = (*self.path, "expect_trace")
        return tuple(read_traces(self.reader, self.body["expect_trace"], path, rules))

    def _shared(self) -> SharedAs:
        """Values that take the place of lists, and the overrides that hold."""
        path = (*self.path, "lists")
        lists = self.reader.mapping(self.body.get("lists", {}), path)
        for name in lists:
            if name not in self.project.lists:
                near = nearest(name, self.project.lists)
                self.reader.blame(self.reader.at((*path, name)), "T126", near, name=name)
        values = {
            name: tuple(
                self.reader.text(value, (*path, name, index))
                for index, value in enumerate(self.reader.sequence(one, (*path, name)))
            )
            for name, one in lists.items()
        }
        if "overrides" not in self.body:
            return SharedAs(tuple(sorted(values.items())), None)
        path = (*self.path, "overrides")
        names = []
        for index, one in enumerate(self.reader.sequence(self.body["overrides"], path)):
            name = self.reader.text(one, (*path, index))
            if name not in self.project.overrides:
                near = nearest(name, self.project.overrides)
                self.reader.blame(self.reader.at((*path, index)), "T125", near, name=name)
            names.append(name)
        return SharedAs(tuple(sorted(values.items())), tuple(sorted(names)))

    def _rules(self) -> tuple[str, ...]:
        value = self.body["rules"]
        wanted = [value] if isinstance(value, str) else value
        path = (*self.path, "rules")
        names = [self.reader.text(name, path) for name in self.reader.sequence(wanted, path)]
        for name in names:
            if name not in self.project.rules:
                place = self.reader.at(path if "rules" in self.body else ())
                self.reader.blame(place, "T111", nearest(name, self.project.rules), name=name)
        found = [name for name in names if name in self.project.rules]
        varied = variants(self.project.rules.values())
        return tuple(dict.fromkeys(one for name in found for one in (name, *varied.get(name, ()))))

    def _feeds(self, rules: Sequence[str]) -> tuple[str, ...]:
        named = self.body.get("feed")
        if isinstance(named, str):
            if named in self.project.feeds:
                return (named,)
            path = (*self.path, "feed")
            near = nearest(named, self.project.feeds)
            self.reader.blame(self.reader.at(path), "T107", near, name=named)
            return ()
        specs = [self.project.rules[rule] for rule in with_lower(rules, self.project.rules)]
        feeds = dict.fromkeys(feed for spec in specs for feed in spec.feeds)
        return tuple(feed for feed in feeds if feed in self.project.feeds)

    def _moments(self, rules: Sequence[str]) -> Moments | None:
        feeds = [self.project.feeds[name] for name in self._feeds(rules)]
        zone = feeds[0].time.zone if feeds else "Asia/Shanghai"
        path = (*self.path, "start")
        text = self.reader.text(self.body.get("start", START), path)
        try:
            return Moments(Moments(0, zone).at(text), zone)
        except Unreadable as problem:
            self.reader.unreadable(path, problem)
            return None

    def _until(
        self, moments: Moments, given: Sequence[Given], expected: Sequence[Expectation]
    ) -> int:
        """The declared end; else the last event or expected instant, whichever is later."""
        if "until" in self.body:
            path = (*self.path, "until")
            try:
                return moments.at(self.reader.text(self.body["until"], path))
            except Unreadable as problem:
                self.reader.unreadable(path, problem)
        ends = [moments.start_ms]
        ends += [max(event.at_ms, event.arrives_ms or 0) for event in given]
        ends += [line.at_ms + line.within_ms for line in expected if line.at_ms is not None]
        return max(ends)

    def _tables(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        path = (*self.path, "tables")
        tables = self.reader.mapping(self.body.get("tables", {}), path)
        for name in tables:
            if name not in self.project.table_specs:
                near = nearest(name, self.project.table_specs)
                self.reader.blame(self.reader.at((*path, name)), "T110", near, name=name)
        return {
            name: [
                self.reader.mapping(row, (*path, name, index))
                for index, row in enumerate(self.reader.sequence(rows, (*path, name)))
            ]
            for name, rows in tables.items()
        }

    def _expected(self, moments: Moments) -> list[Expectation]:
        path = (*self.path, "expect")
        lines = []
        for index, value in enumerate(self.reader.sequence(self.body.get("expect", []), path)):
            line = self._line(value, (*path, index), moments)
            if line is not None:
                lines.append(line)
        return lines

    def _line(self, value: object, path: Path, moments: Moments) -> Expectation | None:
        words = [word.value for word in Word]
        said = self.reader.mapping(value, path, words)
        if len(said) != 1:
            if not set(said) - set(words):
                self.reader.blame(self.reader.at(path), "T116", words=", ".join(words))
            return None
        name, body = next(iter(said.items()))
        if name not in words:
            return None
        line = Expectation(Word(name), self.reader.document.key((*path, name)))
        if body is None or body is True:
            return line
        if isinstance(body, str):
            if line.word in (Word.NEAR_MISS, Word.TODO_MISS):
                return replace(line, reason=body)
            return self._timed(line, body, (*path, name), moments)
        return self._detailed(line, body, (*path, name), moments)

    def _detailed(
        self, line: Expectation, body: object, path: Path, moments: Moments
    ) -> Expectation:
        said = self.reader.mapping(body, path, _LINE)
        words = {
            name: self.reader.text(said[name], (*path, name))
            for name in ("severity", "text", "key", "rule", "reason")
            if name in said
        }
        line = replace(
            line,
            severity=words.get("severity", ""),
            text=words.get("text", ""),
            key=words.get("key", ""),
            rule=words.get("rule", ""),
            reason=words.get("reason", ""),
        )
        if line.severity and line.severity not in list(Severity):
            near = nearest(line.severity, list(Severity))
            self.reader.blame(self.reader.at((*path, "severity")), "T114", near, name=line.severity)
        if "at" in said:
            line = self._timed(line, said["at"], (*path, "at"), moments)
        return line

    def _timed(self, line: Expectation, text: object, path: Path, moments: Moments) -> Expectation:
        try:
            at_ms, within = moments.about(self.reader.text(text, path))
        except Unreadable as problem:
            self.reader.unreadable(path, problem)
            return line
        return replace(line, at_ms=at_ms, within_ms=min(within, 2 * MINUTE_MS))
