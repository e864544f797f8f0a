#!/usr/bin/env bash
# Runs the commands that the bundle's own README.md prints, as a court's expert would: each fenced block that is
# marked ```sh, in the bundle's folder, under bash -euo pipefail, with TRUST naming the trust folder; each marked ```python
# with python3.
#
#   openssl_head.sh BUNDLE TRUST
#
# One line per block. Exit code 0: every block ended with 0, and there was at least one that calls openssl;
# 1: a block failed, with what it said; 64: usage.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: $0 BUNDLE TRUST" >&2; exit 64; }
bundle=$(cd "$1" && pwd)
TRUST=$(cd "$2" && pwd)
export TRUST
[ -f "$bundle/README.md" ] || { echo "FAIL $bundle has no README.md"; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Block n goes to $work/n.sh or $work/n.python.
awk -v work="$work" '
  /^```(sh|python)[ \t\r]*$/ && !inside {
    inside = 1; file = work "/" (++count) (/^```sh/ ? ".sh" : ".python"); printf "" > file; next
  }
  /^```/ && inside { inside = 0; close(file); next }
  inside { sub(/\r$/, ""); print > file }
  END { print count + 0 > (work "/count"); if (inside) print "open" > (work "/open") }
' "$bundle/README.md"

count=$(cat "$work/count")
[ "$count" -gt 0 ] || { echo "FAIL README.md prints no commands (no block marked sh or python)"; exit 1; }
[ ! -e "$work/open" ] || { echo "FAIL README.md: the last block is never closed"; exit 1; }
grep -qs openssl "$work"/*.sh || { echo "FAIL README.md: no command calls openssl"; exit 1; }
mkdir "$work/tmp"
for number in $(seq 1 "$count"); do
  block=$work/$number.sh
  with=(bash -euo pipefail)
  [ -f "$block" ] || { block=$work/$number.python; with=(python3 -B); }
  # Blocks may write below TMPDIR, never into the bundle.
  if (cd "$bundle" && TMPDIR="$work/tmp" "${with[@]}" "$block") >"$work/said" 2>&1 </dev/null; then
    echo "ok   block $number of $count: $(grep -v '^ *\(#\|$\)' "$block" | head -n 1 | cut -c 1-90)"
  else
    echo "FAIL block $number of $count ended with an error. Its commands:"
    sed 's/^/       /' "$block"
    echo "     What it said:"
    sed 's/^/       /' "$work/said"
    exit 1
  fi
done
