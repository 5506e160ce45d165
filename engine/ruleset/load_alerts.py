"""Rules that read other rules' alerts: which they read, and that none reads itself in the end."""

from collections.abc import Mapping, Sequence

from engine.feeds.alerts import ALERTS, alerts_feed
from engine.feeds.spec import FeedSpec
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
    plain = [one.rule for one in models if not reads_alerts(one) and one.status == "stable"]
    return {
        one.rule: (tuple(one.of) if one.of else tuple(plain)) if reads_alerts(one) else ()
        for one in models
    }


def check_of(model: RuleModel, notes: Notes, known: Known) -> None:
    """`of` names rules, goes with `from: alerts`, and leads back to the rule by no way."""
    if not reads_alerts(model):
        if model.of is not None:
            notes.add(("of",), "R560", at_key=True)
        return
    others = [name for name in known.reads if name != model.rule]
    before = len(notes.problems)
    for index, name in enumerate(model.of or ()):
        if name == model.rule:
            notes.add(("of", index), "R562", circle=f"{name} -> {name}")
        else:
            notes.known(name, others, "R561", ("of", index))
    if len(notes.problems) > before:
        return
    if not known.reads.get(model.rule):
        notes.add(("from",), "R563")
    known_reads = {
        name: [one for one in read if one in known.reads] for name, read in known.reads.items()
    }
    try:
        floors_of(known_reads)
    except ValueError as error:
        circle = error.args[0]
        if model.rule in circle:
            notes.add(("of",) if model.of else ("from",), "R562", circle=" -> ".join(circle))
