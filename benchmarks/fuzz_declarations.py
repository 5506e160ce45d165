"""Fuzzing, guided by coverage: nothing that a file or a record may hold raises or takes long.

Atheris (libFuzzer) starts from the files of tests/ruleset and tests/expr and keeps what reaches
new branches of the engine. The loader of declarations and the expressions and templates are tried
for ten minutes each, the decoders of records for two; for CI half a minute, and ten seconds. A
crash is any exception (problems with their places are the answer, not an exception), an end of the
process, or an input that takes more than a second of the processor without instruments.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.fuzz_targets import SLOW_S, TARGETS
from benchmarks.report import ROOT, Report, options
from benchmarks.worlds import scratch

FULL_S = {"declarations": 600, "expressions": 600, "records in JSON": 120, "records in CSV": 120}
REDUCED_S = {"declarations": 30, "expressions": 30, "records in JSON": 10, "records in CSV": 10}


class Fuzzed(NamedTuple):
    """What a run of one target did: inputs tried, branches reached at first and at last."""

    seeds: int
    tried: int
    begun_with: int
    reached: int
    kept: int
    code: int
    found: list[Path]


def main() -> int:
    """Fuzz every target; write what was reached and every crash."""
    parser = options(__doc__ or "")
    parser.add_argument("--only", nargs="*", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--seconds", type=int, help="so long for each target")
    asked = parser.parse_args()
    report = Report("fuzz", "Proof: no file and no record makes the engine raise or dawdle", asked)
    rows, crashes = [], []
    for name in asked.only:
        seconds = asked.seconds or (REDUCED_S if asked.reduced else FULL_S)[name]
        with scratch("fuzz") as folder:
            done = fuzz(name, folder, seconds, asked.seed)
            rows.append(
                [name, seconds, done.seeds, done.tried, done.begun_with, done.reached, done.kept]
            )
            confirmed = [said for one in done.found if (said := again(name, one)) is not None]
            crashes += [(name, said) for said in confirmed]
            report.claim(
                f"{name}: {seconds} s without a crash",
                not confirmed and done.code == 0 and done.tried > 0,
                f"{len(confirmed)} crashes, {len(done.found) - len(confirmed)} slow under"
                " instruments only" if done.found else f"exit code {done.code}",
            )  # fmt: skip
    report.table(
        ["target", "s", "seeds", "inputs tried", "branches at first", "branches", "inputs kept"],
        rows,
    )
    report.say(
        f"An input that took more than {SLOW_S:g} s under instruments was tried again without."
    )
    for name, said in crashes:
        report.code(f"{name}: {said['raised'] or 'slow'}\n{said['took']} s\n{said['input'][:2000]}")
    return report.close()


def fuzz(name: str, folder: Path, seconds: int, seed: int) -> Fuzzed:
    """Run the fuzzer in a process of its own."""
    given = TARGETS[name][1]()
    for part in ("corpus", "seeds", "found"):
        (folder / part).mkdir()
    for number, data in enumerate(given.inputs):
        (folder / "seeds" / f"{number:04}").write_bytes(data)
    words = "".join(f'"{_escaped(word)}"\n' for word in given.words)
    (folder / "words").write_text(words, "ascii")
    command = ["fuzz", name, str(folder), str(seconds), str(seed)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz_targets", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)
    begun = re.search(r"INITED\s+cov: (\d+)", done.stderr)
    reached = re.findall(r"cov: (\d+)", done.stderr)
    tried = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    return Fuzzed(
        len(given.inputs),
        int(tried[1]) if tried else 0,
        int(begun[1]) if begun else 0,
        int(reached[-1]) if reached else 0,
        len(list((folder / "corpus").iterdir())),
        done.returncode,
        sorted((folder / "found").iterdir()),
    )


def again(name: str, place: Path) -> dict[str, str] | None:
    """Try an input without instruments; what it did if it is a crash."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz_targets", "again", name, str(place)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    try:
        said: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        said = {"raised": f"died: {done.stderr[-800:]}", "took": "", "input": place.name}
    return said


def _escaped(word: bytes) -> str:
    """A word as libFuzzer's dictionaries spell it."""
    return "".join(
        chr(one) if 32 <= one < 127 and one not in b'"\\' else f"\\x{one:02x}" for one in word
    )


if __name__ == "__main__":
    sys.exit(main())
