"""Every sentence a person reads, in Chinese and English, from the `*.toml` files beside this one.

An entry is a table named by its id with the keys `en` and `zh`; both hold the same `{names}`.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """All entries of all areas. An id that two files define is an error of ours."""
    entries: dict[str, Mapping[str, str]] = {}
    for file in sorted(files("engine.text").iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".toml"):
            continue
        for name, entry in tomllib.loads(file.read_text("utf-8")).items():
            if name in entries:
                message = f"the catalogue defines '{name}' twice"
                raise ValueError(message)
            entries[name] = entry
    return entries


def say(name: str, lang: str, /, **values: object) -> str:
    """The sentence `name` in `lang` (`en` or `zh`), with its values put in."""
    return catalogue()[name][lang].format(**values)
