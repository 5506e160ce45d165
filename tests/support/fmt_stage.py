"""A declaration laid out anew, what it says, and the comments in it."""

import re
from typing import Any

import yaml

from engine.ruleset.fmt import format_file
from engine.ruleset.source import DeclaredFile, read


def laid_out(text: str, path: str = "a.yaml") -> str:
    found = format_file(DeclaredFile(path, text.encode()))
    assert isinstance(found, str), found
    return found


def said(text: str) -> Any:
    document, problems = read(DeclaredFile("a.yaml", text.encode()))
    assert document is not None, problems
    return document.value


def comments(text: str) -> list[str]:
    """All comments, found without the formatter: what is left when the scalars are taken out."""
    lines = [list(line) for line in text.split("\n")]
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark, token.end_mark
            for line in range(start.line, end.line + 1):
                first = start.column if line == start.line else 0
                last = end.column if line == end.line else len(lines[line])
                lines[line][first:last] = "x" * (last - first)
    found = re.findall(r"#.*", "\n".join("".join(line) for line in lines))
    return sorted(one.rstrip() for one in found)
