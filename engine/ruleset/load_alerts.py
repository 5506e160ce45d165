"""Rules that read other rules' alerts: which they read, and that none reads itself in the end."""

from collections.abc import Mapping, Sequence

from engine.feeds.alerts import ALERTS, alerts_feed
from engine.feeds.spec import FeedSpec
from engine.operators.specs.base import Path
from engine.ruleset.known import Known
from engine.ruleset.notes import Notes
from engine.ruleset.schema import RuleModel
from engine.ruleset.stages import floors_of


def reads_alerts(model: RuleModel) -> bool:
    """Whether a rule reads alerts, by `from` or by an event of its operator."""
    _, operator = model.when.chosen()
    return ALERTS in (model.from_ or ()) or any(feed == ALERTS for _, feed in operator.events())


def feed_of_alerts(models: Sequence[RuleModel]) -> FeedSpec | None:
    """The feed of alerts with every label the rules give; None where no rule reads it."""
    if not any(map(reads_alerts, models)):
        return None
    return alerts_feed({label for model in models for label in model.labels})


def reads_of(models: Sequence[RuleModel]) -> Mapping[str, Sequence[str]]:
    """For each rule, the rules whose alerts it reads: those it names, else all that read none."""
    above = {one.rule for one in models if reads_alerts(one)}
    plain = tuple(one.rule for one in models if one.rule not in above and one.status == "stable")
    return {one.rule: (of(one) or plain) if one.rule in above else () for one in models}


def of(model: RuleModel) -> tuple[str, ...]:
    """The rules whose alerts a rule names, under `of` or in its operator."""
    named = [*(model.of or ()), *model.when.chosen()[1].rules().values()]
    return tuple(dict.fromkeys(named))


def check_of(model: RuleModel, notes: Notes, known: Known) -> None:
    """`of` names rules, goes with `from: alerts`, and leads back to the rule by no way."""
    if not reads_alerts(model):
        if model.of is not None:
            notes.add(("of",), "R560", at_key=True)
        return
    others = [name for name in known.reads if name != model.rule]
    before = len(notes.problems)
    operator, declared = model.when.chosen()
    named: dict[Path, str] = {("of", index): name for index, name in enumerate(model.of or ())}
    named |= {("when", operator, *path): name for path, name in declared.rules().items()}
    for path, name in named.items():
        if name == model.rule:
            notes.add(path, "R562", circle=f"{name} -> {name}")
        else:
            notes.known(name, others, "R561", path)
    if len(notes.problems) > before:
        return
    if not known.reads.get(model.rule):
        notes.add(next(iter(named), ("from",)), "R563")
    known_reads = {
        name: [one for one in read if one in known.reads] for name, read in known.reads.items()
    }
    try:
        floors_of(known_reads)
    except ValueError as error:
        circle = error.args[0]
        if model.rule in circle:
            at = next(iter(named), ("from",))
            notes.add(at, "R562", circle=" -> ".join(circle))
