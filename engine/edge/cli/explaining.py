"""`forewarn explain`: about an alert, or how far a key is by recordings or by a daemon's folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from engine.edge.cli.exits import Misuse
from engine.edge.cli.voice import Voice, speak_as, voice
from engine.errors import EnvironmentUnusable

# What an alert's id asks for must be there at once: only what is needed is imported.
# ruff: noqa: PLC0415

SETTINGS = "forewarn.yaml"
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of one command line."""

    what: str
    key: str | None = None
    at: str | None = None
    data: tuple[str, ...] = ()
    folder: Path | None = None
    rules: tuple[Path, ...] = ()
    sort: bool = False
    form: str = ""


def explain_it(asked: Asked, *, as_json: bool = False) -> int:
    """Answer what was asked; answers the exit code.

    Raises:
        Misuse: there is no such rule, key or alert, or the words make no sense together.

    """
    if asked.form not in {"", "text", "json"}:
        raise Misuse(voice().say("explain-format", form=asked.form))
    if as_json or asked.form == "json":
        speak_as(Voice(voice().lang, json=True))
    if asked.key is None:
        from engine.edge.cli.explain_alert import explain_alert

        return explain_alert(asked)
    if asked.data and asked.folder is not None:
        raise Misuse(voice().say("explain-both"))
    if asked.data:
        from engine.edge.cli.explain_recorded import explain_recorded

        return explain_recorded(asked, asked.key)
    from engine.edge.cli.explain_stored import explain_key

    return explain_key(asked, asked.key)


def unknown(sentence: str, name: str, known: Iterable[str]) -> str:
    """That there is no such thing, and the nearest there are."""
    near = get_close_matches(name, list(known), _NEAREST, 0.7)
    hint = f" {voice().say('did-you-mean', name=', '.join(near))}" if near else ""
    return voice().say(sentence, name=name) + hint


def folder_of(asked: Asked) -> Path:
    """The folder of the daemon: the one named, or this one.

    Raises:
        Misuse: none is named, and this one has no settings.
        EnvironmentUnusable: it does not exist.

    """
    folder = Path() if asked.folder is None else asked.folder
    if not folder.exists():
        raise EnvironmentUnusable(voice().say("cli-no-path", path=folder))
    if asked.folder is None and not (folder / SETTINGS).exists():
        raise Misuse(voice().say("explain-whence"))
    return folder
