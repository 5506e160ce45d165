#!/usr/bin/env bash
# A new user: a fresh clone where nothing was installed before, `make demo`, `make test`, and then
# the first rule by the README alone, word for word. Writes the transcript with the time of each.
#
#   benchmarks/prove_new_user.sh [--reduced] [--report FILE]      (--reduced leaves out `make test`)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD reduced=no report=docs/proofs/new-user.md
while [ $# -gt 0 ]; do
  case $1 in
    --reduced) reduced=yes; report=/dev/null ;;
    --report) report=$2; shift ;;
    *) echo "unknown: $1" >&2; exit 64 ;;
  esac
  shift
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/home" "$scratch/bin" "$scratch/tmp"

# What a plain machine has on its path: the system's programs without Java, Maven and Python tools.
for program in /usr/bin/* /bin/*; do
  name=${program##*/}
  case $name in
    java* | mvn* | pip* | uv* | python* | pytest* | poetry* | conda*) ;;
    *) [ -e "$scratch/bin/$name" ] || ln -s "$program" "$scratch/bin/$name" ;;
  esac
done
python=$(python3 -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))')
ln -s "$(readlink -f "$python")" "$scratch/bin/python3"

# How this machine reaches a package index is passed on; nothing else of its environment is.
pass=()
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CERT PIP_CONFIG_FILE PIP_TRUSTED_HOST \
  SSL_CERT_FILE REQUESTS_CA_BUNDLE http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [ -z "${!name:-}" ] || pass+=("$name=${!name}")
done
for file in "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
  [ -n "${PIP_CONFIG_FILE:-}" ] || [ ! -f "$file" ] || pass+=("PIP_CONFIG_FILE=$file")
done

failed=0
lines=()
step() { # name, folder, command
  local begun took code=0 log="$scratch/log"
  begun=$(date +%s%N)
  (cd "$2" && env -i HOME="$scratch/home" PATH="$scratch/bin" TMPDIR="$scratch/tmp" \
    LANG=C.UTF-8 PIP_NO_CACHE_DIR=1 "${pass[@]}" bash -c "$3") >"$log" 2>&1 </dev/null || code=$?
  took=$(awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN { printf "%.1f", ns / 1e9 }')
  printf '%s: %s s, exit code %s\n' "$1" "$took" "$code"
  [ "$code" = 0 ] || { failed=$((failed + 1)); tail -30 "$log"; }
  lines+=("| \`$1\` | $took | $code |")
  sed -e "s#$scratch#/scratch#g" -e "s#$root#/origin#g" -e 's/\x1b\[[0-9;]*m//g' "$log" >"$scratch/said.$1"
}

step clone "$scratch" "git clone -q '$root' clone && cd clone && git log --oneline -1"
clone=$scratch/clone
step demo "$clone" 'make demo'
[ "$reduced" = yes ] || step test "$clone" 'make test'
python3 benchmarks/readme_steps.py "$clone/README.md" >"$scratch/readme.sh"
mkdir "$scratch/work"
step readme "$scratch/work" "export PATH='$clone/.venv/bin':\$PATH; bash '$scratch/readme.sh'"

show() { # name, lines at most
  printf '\n## %s\n\n```text\n' "$1"
  if [ "$(wc -l <"$scratch/said.$1")" -gt "$2" ]; then
    head -$(($2 / 3)) "$scratch/said.$1"; printf '[...]\n'; tail -$(($2 * 2 / 3)) "$scratch/said.$1"
  else
    cat "$scratch/said.$1"
  fi
  printf '```\n'
}
{
  printf '# Proof: a new user\n\n| what | value |\n| --- | --- |\n'
  printf '| command | `benchmarks/prove_new_user.sh` |\n| commit | %s |\n' "$(git -C "$clone" rev-parse --short=12 HEAD)"
  printf '| begun (UTC) | %s |\n' "$(date -u '+%Y-%m-%d %H:%M')"
  printf '| machine | %s cores %s, %s |\n' "$(nproc)" "$(uname -m)" "$("$scratch/bin/python3" -V)"
  printf '\nA clone of the commit in an empty folder; an empty home, no pip cache, a path with the\n'
  printf 'system programs and `python3` only (no Java, no Maven). The README steps are its own\n'
  printf '`sh run` blocks and files, typed by a script.\n\n'
  printf '| step | seconds | exit code |\n| --- | --- | --- |\n'
  printf '%s\n' "${lines[@]}"
  show demo 90
  [ "$reduced" = yes ] || show test 40
  show readme 150
  printf '\n%s\n' "$([ "$failed" = 0 ] && echo 'Every step ended with exit code 0.' || echo "$failed steps FAILED.")"
} >"$report"
exit $((failed > 0))
