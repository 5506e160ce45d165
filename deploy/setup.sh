#!/usr/bin/env bash
# Make .venv with every pinned dependency and the project itself, editable.
# Needs Python 3.11 or later with its venv module; as root on Debian it installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'setup: %s\n' "$*"; }

python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
  say "there is no '$python'; install Python 3.11 or later, or name one with PYTHON=..." >&2
  exit 4
fi
if ! "$python" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))'; then
  say "'$python' is $("$python" -V); Forewarn needs Python 3.11 or later" >&2
  exit 4
fi
say "virtual environment in .venv ($("$python" -V))"
rm -f .venv/ready
if ! "$python" -m venv .venv >/tmp/forewarn-venv.log 2>&1; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Python's venv module is missing; installing python3-venv"
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    "$python" -m venv .venv
  else
    cat /tmp/forewarn-venv.log >&2
    say "Python's venv module is missing; run: sudo apt-get install python3-venv" >&2
    exit 4
  fi
fi
say "dependencies, pinned by hash (about a minute)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
say "forewarn itself, editable"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch .venv/ready
say "done"
