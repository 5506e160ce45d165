"""A sheet of labelled lines: the same for people and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.text import say


@dataclass(slots=True)
class Sheet:
    """What is known about one thing.

    Attributes:
        kind: `rule`, `feed`, `table`, `zones`, `operator`, `function` or `problem`.
        name: Its name.
        title: What people call it, or the sentence that says what it is.
        rows: Names of labels (entries `about-<name>`), each with its lines.

    """

    kind: str
    name: str
    title: str
    lang: str
    rows: list[tuple[str, Sequence[str]]] = field(default_factory=list)

    def add(self, label: str, *lines: str) -> None:
        """Add what is known under a label; nothing is added for nothing."""
        said = [line for line in lines if line]
        if said:
            self.rows.append((label, said))

    def heading(self) -> str:
        """Kind, name and title on one line."""
        return f"{say(f'about-{self.kind}', self.lang)} {self.name}  {self.title}".rstrip()

    def table(self) -> list[tuple[str, str]]:
        """Label and text of every line; a label stands once, before its first line."""
        return [
            (say(f"about-{label}", self.lang) if number == 0 else "", line)
            for label, lines in self.rows
            for number, line in enumerate(lines)
        ]

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        rows = {label: list(lines) for label, lines in self.rows}
        return {"kind": self.kind, "name": self.name, "title": self.title, "about": rows}
