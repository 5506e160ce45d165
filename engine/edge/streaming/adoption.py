"""Whether a partition's saved state may be taken up by the rules of this worker, and what changes.

Three things stop a worker with exit code 5: an import that did not end, an edited rule that does
not say what becomes of its rows, and rules that are older than those that worked here last. The
last one keeps two versions of the rules in one group from working on a partition in turns: it
goes from the old version to the new one, and never back by itself.
"""

from collections.abc import Mapping, Sequence

import structlog

from engine.edge.recover import Adopting, forgotten, take_up
from engine.edge.state_tools.plan import refuse_misfit
from engine.edge.store import Saved
from engine.edge.streaming.kit import Kit
from engine.errors import StateError
from engine.ports import Core, Outcome, Position, Write
from engine.saved import ruleset
from engine.state.codec import unpack_meta
from engine.text import say

log = structlog.get_logger("streaming")

OLDER = "state-older-rules"
"""Name of the error that newer rules than this worker's have worked on a partition."""

IMPORTING = b"\0importing"
"""Key of the row that stands in a partition while an import is under way."""


def adopt_rows(
    kit: Kit, core: Core, space: str, meta: bytes | None, rows: Sequence[Write]
) -> tuple[Mapping[str, Position], Outcome | None]:
    """Give a core its saved state.

    Returns:
        From where each log is read on, and what must be saved before anything else happens.

    Raises:
        StateError: it must not be taken up; nothing was changed.

    """
    rules = {name: rule.spec for name, rule in kit.program.rules.items()}
    if meta is not None:
        _refuse_older(kit, space, meta)
    lines = refuse_misfit({space: rows}, rules, kit.lang)
    positions = take_up(core, Saved(meta, rows), kit.lang)
    for line in forgotten(lines):
        log.warning(
            "state-dropped", rule=line.rule, keys=line.keys, why=str(line.does), space=space
        )
    return positions, core.adopted() if isinstance(core, Adopting) else None


def refuse_unfinished(kept: Mapping[bytes, bytes], topic: str, lang: str) -> None:
    """Stop where an import has begun and not ended.

    Raises:
        StateError: it has.

    """
    if IMPORTING in kept:
        raise StateError(say("state-unfinished", lang, topic=topic))


def _refuse_older(kit: Kit, space: str, meta: bytes) -> None:
    """Stop where newer rules than ours have worked."""
    before = unpack_meta(meta).rulesets
    own = ruleset(rule.spec for rule in kit.program.spaces[space].rules)
    if own in before[:-1] and before[-1] not in kit.left.get(space, ()):
        raise StateError(say(OLDER, kit.lang, space=space), OLDER, space=space)
