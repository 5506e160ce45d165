"""Other people's engines for comparison, each in a folder of its own beside our dependencies.

A peer may want other versions of what we use. Its packages lie in a folder that only its own
process looks into first, so that it and we can be measured in one run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import ROOT

QUIX = ("quixstreams==3.28.1",)


def installed(packages: Sequence[str]) -> Path:
    """The folder with these packages; they are fetched the first time.

    Raises:
        RuntimeError: They cannot be had.

    """
    mark = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "forewarn-peers" / mark
    if (folder / ".ready").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    uv = shutil.which("uv")
    command = (
        [uv, "pip", "install", "--python", sys.executable] if uv
        else [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    )  # fmt: skip
    done = subprocess.run(
        [*command, "--quiet", "--target", str(folder), *packages],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        message = f"{', '.join(packages)} could not be installed: {done.stderr[-800:]}"
        raise RuntimeError(message)
    (folder / ".ready").touch()
    return folder


def become(module: str, packages: Sequence[str], words: Sequence[str]) -> None:
    """Go on in this process as a module that has a peer's packages before ours."""
    paths = os.pathsep.join([str(installed(packages)), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths}
    os.execve(sys.executable, [sys.executable, "-m", module, *words], environment)
