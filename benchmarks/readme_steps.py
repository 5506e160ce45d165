"""Turn a README into the shell script that its reader would type: `sh run` and `file=` blocks."""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(\w+) (run|file=(\S+))\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script(text: str) -> str:
    """Each `run` block begins in the folder where the first began; `file=` blocks are written."""
    lines = ["set -euo pipefail", 'top="$PWD"']
    for _language, kind, place, body in BLOCK.findall(text):
        lines.append('cd "$top"')
        if kind == "run":
            for command in body.splitlines():
                lines += [f"echo '$ {command}'", command]
        else:
            lines += [
                f"echo '# writing {place}'",
                f"cat > '{place}' <<'END_OF_FILE'",
                body.rstrip("\n"),
            ]
            lines.append("END_OF_FILE")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(script(Path(sys.argv[1]).read_text("utf-8")), end="")
