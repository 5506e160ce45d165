"""The page of all problem codes, made from the catalogue (`python -m` this module prints it)."""

import sys
from collections.abc import Mapping

from engine.text import catalogue

_GROUPS = (
    ("R1", "Shape", "书写与结构"),
    ("R2", "References", "引用"),
    ("R3", "Expressions and texts", "表达式与文本"),
    ("R4", "Units and meaning", "单位与含义"),
    ("R5", "Zones, tables and operators", "区域、表与算子"),
    ("R6", "Correlations, clusters, macros and reference data", "关联、聚集、宏与参考数据"),
    ("T1", "Rule tests", "规则测试"),
    ("S1", "Settings", "设置"),
    ("D1", "Desk", "指挥调度"),
    ("D2", "Desk, doubtful", "指挥调度存疑"),
    ("D3", "Route tests", "派单测试"),
    ("W1", "Cost", "开销"),
    ("W2", "Hygiene", "规范性"),
)
_HEAD = """# Problem codes

Made from `engine/text/*.toml`; do not edit. Codes that begin with R (declarations), T (rule tests),
S (settings), D1 (desk) and D3 (route tests) are errors: nothing runs until they are mended. Codes
that begin with W or D2 are warnings; `forewarn check --strict` fails on them. Words in `{braces}`
stand for what was found.
"""


def page() -> str:
    """The whole page as Markdown: for every code its sentence in English and Chinese."""
    entries = codes()
    parts = [_HEAD]
    for prefix, english, chinese in _GROUPS:
        rows = [
            f"| {code} | {_cell(entries[code]['en'])} | {_cell(entries[code]['zh'])} |"
            for code in sorted(entries)
            if code.startswith(prefix)
        ]
        if rows:
            head = [f"## {prefix}xx {english} {chinese}", "", "| code | English | 中文 |"]
            parts.append("\n".join([*head, "| --- | --- | --- |", *rows]) + "\n")
    return "\n".join(parts)


def codes() -> Mapping[str, Mapping[str, str]]:
    """Every problem code with its sentence in each language."""
    return {name: entry for name, entry in catalogue().items() if _is_code(name)}


def group_of(code: str, lang: str) -> str:
    """What a code is about: `Shape`, `References`, ..."""
    names = {prefix: (english, chinese) for prefix, english, chinese in _GROUPS}
    english, chinese = names.get(code[:2], ("", ""))
    return chinese if lang == "zh" else english


def plain_sentence(code: str, lang: str) -> str:
    """The sentence of a code with the names of what was found in braces."""
    return _plain(catalogue()[code][lang])


def _is_code(name: str) -> bool:
    """Whether an entry of the catalogue is a problem of a declaration."""
    return name[0] in "DRSTW" and name[1:].isdigit()


def _cell(sentence: str) -> str:
    """A sentence that a table cell can hold."""
    return _plain(sentence).replace("|", "\\|").replace("\n", " ")


def _plain(sentence: str) -> str:
    """A sentence as it is written; doubled braces stand for one."""
    plain = sentence.replace("{{", "\0").replace("}}", "\1")
    for lang in ("en", "zh"):
        plain = plain.replace(f":{lang}}}", "}")
    return plain.replace("\0", "{").replace("\1", "}")


if __name__ == "__main__":
    sys.stdout.write(page())
