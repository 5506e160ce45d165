"""docs/api.md says of roles and masks what the code does, and its requests work."""

import os
import re
from pathlib import Path

from api_stage import staged

from engine.cases.model import Role
from engine.edge.api.masking import CLEAR, KINDS
from engine.edge.api.problems import STATUSES
from engine.edge.api.roles import BASE, PERSONS, SIGNED, TABLE

PAGE = Path(__file__).parents[3] / "docs/api.md"


def roles() -> str:
    """The table of routes and roles."""
    lines = [f"| route | {' | '.join(PERSONS)} |", "| --- |" + " :-: |" * len(PERSONS)]
    for name, row in TABLE.items():
        method, _, path = name.partition(" ")
        shown = f"`{method} {path.removeprefix(BASE)}`"
        if isinstance(row, frozenset):
            cells = " | ".join("x" if role in row else "" for role in PERSONS)
        else:
            assert row == SIGNED
            shown += " (signed, no token)"
            cells = " | ".join("" for _ in PERSONS)
        lines.append(f"| {shown} | {cells} |")
    return "\n".join(lines)


def clear() -> str:
    """The table of what each role sees in clear."""
    lines = [f"| role | {' | '.join(KINDS)} |", "| --- |" + " :-: |" * len(KINDS)]
    lines += [
        f"| {role} | {' | '.join('x' if kind in CLEAR[role] else '' for kind in KINDS)} |"
        for role in PERSONS
    ]
    return "\n".join(lines)


def test_the_tables_of_the_page_are_made_from_the_code():
    text = PAGE.read_text("utf-8")
    for name, table in (("roles", roles()), ("clear", clear())):
        pattern = rf"(<!-- {name}: [^\n]* -->\n).*?(<!-- end of {name} -->)"
        wanted = re.sub(pattern, rf"\1\n{table}\n\n\2", text, flags=re.DOTALL)
        if os.environ.get("GOLDEN") == "write":
            PAGE.write_text(wanted, "utf-8")
            text = wanted
        assert text == wanted


def test_the_page_names_every_code():
    text = PAGE.read_text("utf-8")
    assert [code for code in STATUSES if f"`{code}`" not in text] == []


async def test_the_requests_of_the_page_are_answered(tmp_path):
    text = PAGE.read_text("utf-8")
    found = re.findall(r"\$API(/api/v1/[^\"]+)\"", text)
    async with staged(tmp_path) as stage:
        stage.services.stopping = True
        token = await stage.token(Role.HANDLER)
        number = (await stage.call("GET", f"{BASE}/incidents", token)).json["items"][0]["number"]
        body = re.search(r"-d '(\{.*\})'", text)
        assert body is not None
        for path in found:
            here = path.replace("20260314-0042", number)
            post = here.endswith("/resolve")
            answer = await stage.call(
                "POST" if post else "GET", here, token, body[1].encode() if post else None,
                {"If-Match": '"3"'} if post else {},
            )  # fmt: skip
            assert answer.status == 200, (path, answer.body)
    assert len(found) == 3
