"""The tree of routes as values, each name in it checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine.cases.declared.around import Around
from engine.cases.declared.build import Names, check_areas
from engine.cases.declared.schema import DeskMatchModel
from engine.cases.declared.schema_routes import (
    DeskBranchModel,
    DeskDefaultModel,
    DeskGroupModel,
    DeskProofModel,
    DeskRoutesModel,
    DeskSayModel,
)
from engine.cases.match import fits
from engine.cases.model import Tier
from engine.cases.policy import Branch, Grouping, Match, Proof, Together
from engine.model.worktime import WorkTime
from engine.ruleset.document import Path
from engine.ruleset.notes import Notes
from engine.ruleset.shape import nearest

ROOT = "default"


@dataclass(slots=True)
class RouteBuilder:
    """One file of routes being built; `paths` says where each branch stands."""

    notes: Notes
    names: Names
    around: Around
    paths: dict[str, Path] = field(default_factory=dict)

    def build(self, model: DeskRoutesModel) -> Branch:
        """The whole tree."""
        self.paths[ROOT] = (ROOT,)
        root = self._branch(ROOT, model.default, Match(), (ROOT,))
        children = self._children(model.branches, ("branches",))
        self._everywhere(model.default)
        return replace(root, children=children)

    def match(self, model: DeskMatchModel, path: Path) -> Match:
        """A match with every name in it checked."""
        return build_match(model, self.notes, self.names, self.around, path)

    def _children(self, models: Sequence[DeskBranchModel], path: Path) -> tuple[Branch, ...]:
        found: list[Branch] = []
        for index, one in enumerate(models):
            here = (*path, index)
            first = self.paths.setdefault(one.route, here)
            if first != here:
                line = self.notes.document.at((*first, "route")).line
                self.notes.add((*here, "route"), "D109", name=one.route, line=line)
            match = self.match(one.when, (*here, "when"))
            branch = self._branch(one.route, one, match, here)
            children = self._children(one.branches, (*here, "branches"))
            found.append(replace(branch, children=children, go_on=one.go_on))
            if one.go_on and index == len(models) - 1:
                self.notes.add((*here, "go_on"), "D213", at_key=True, name=one.route)
        return tuple(found)

    def _branch(
        self, name: str, model: DeskDefaultModel | DeskBranchModel, match: Match, path: Path
    ) -> Branch:
        for role in ("lead", "host"):
            self._department(getattr(model, role), (*path, role))
        for index, one in enumerate(model.assisting or ()):
            self._department(one, (*path, "assisting", index))
            if one in {model.lead, model.host}:
                self.notes.add((*path, "assisting", index), "D121", name=one)
        known = self.names.timings
        if model.timing is not None and self.notes.known(
            model.timing, known, "D107", (*path, "timing")
        ):
            self.names.use("timing", model.timing)
        if model.refer:
            self.names.checked([model.refer], self.notes, (*path, "refer"))
        return Branch(
            name,
            match,
            lead=model.lead,
            host=model.host,
            assisting=None if model.assisting is None else tuple(model.assisting),
            tier=Tier(model.tier) if model.tier is not None else None,
            timing=model.timing,
            grouping=self._grouping(model.group, (*path, "group")),
            proof=_proof(model.proof),
            dispatch=None if model.dispatch is None else model.dispatch == "at-once",
            lift_from="" if model.lift_from == "never" else model.lift_from,
            repeat_ms=model.repeat,
            refer=model.refer,
            sinks=self._sinks(model, path),
            at=self.notes.document.at(path),
        )

    def _sinks(self, model: DeskSayModel, path: Path) -> tuple[str, ...] | None:
        if model.sinks is None:
            return None
        return self.names.checked(model.sinks, self.notes, (*path, "sinks"))

    def _department(self, name: str | None, path: Path) -> None:
        if name is not None and self.notes.known(name, self.names.departments, "D106", path):
            self.names.use("department", name)

    def _everywhere(self, model: DeskDefaultModel) -> None:
        """Whoever is in charge by default must work everywhere: nobody is asked after it."""
        found = self.names.departments.get(model.lead)
        if found is not None and found.areas:
            self.notes.add((ROOT, "lead"), "D122", name=model.lead, areas=", ".join(found.areas))

    def _grouping(self, model: DeskGroupModel | None, path: Path) -> Grouping | None:
        if model is None:
            return None
        for key, by, value in (
            ("radius", "place", model.radius),
            ("labels", "labels", model.labels),
        ):
            if by in model.by and value is None:
                self.notes.add((*path, "by"), "R148", missing=key, kind=by)
            if by not in model.by and value is not None:
                self.notes.add((*path, key), "D123", name=key, by=by)
        return Grouping(
            tuple(Together(one) for one in dict.fromkeys(model.by)),
            tuple(model.labels or ()),
            model.radius or 0.0,
            model.within,
            model.recur,
        )


def _proof(model: DeskProofModel | None) -> Proof | None:
    if model is None:
        return None
    return Proof(model.stream, model.receipt, model.call_back, model.quiet, model.verdict or "")


def build_match(
    model: DeskMatchModel, notes: Notes, names: Names, around: Around, path: Path
) -> Match:
    """Which alerts are meant; names that no rule, pack or centre has are noted."""
    rules = tuple(model.rules or ())
    if around.project is not None:
        for index, pattern in enumerate(rules):
            if not any(fits(pattern, rule) for rule in around.rules):
                near = nearest(pattern.rstrip("*"), around.rules)
                notes.add((*path, "rules", index), "D203", near, name=pattern)
        for index, pack in enumerate(model.packs or ()):
            notes.known(pack, around.project.packs, "D204", (*path, "packs", index))
        for index, word in enumerate(model.dispatch or ()):
            notes.known(word, around.dispatches(), "D205", (*path, "dispatch", index))
        rules = tuple(one for rule in rules for one in (rule, *around.versions(rule)))
    return Match(
        labels={name: frozenset(values) for name, values in model.labels.items()},
        rules=rules,
        keys=tuple(model.keys or ()),
        areas=check_areas(model.areas, names, notes, (*path, "areas")),
        packs=tuple(model.packs or ()),
        dispatch=tuple(model.dispatch or ()),
        min_severity=model.min_severity or "",
        hours=hours_of(model.hours, notes, names, (*path, "hours")),
    )


def hours_of(name: str | None, notes: Notes, names: Names, path: Path) -> WorkTime | None:
    """Hours by their name."""
    return names.hours_of(name, notes, path)
