#!/usr/bin/env bash
# Asks our verifier and the independent one for a verdict on what the demo made: its bundle and each tampered copy.
#
#   two_verifiers.sh FIELDSEAL OUT
#
# FIELDSEAL is our program; OUT is the demo's folder with bundle/, trust/ and tampered/1 to tampered/11. One line for each
# bundle. Exit code 0: both give every bundle the verdict that it deserves; 1: one does not; 64: usage.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: $0 FIELDSEAL OUT" >&2; exit 64; }
fieldseal=$1
out=$2
independent=$(cd "$(dirname "$0")/../independent" && pwd)/verify.py
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT

# Bundle and verdict: one bit of a photograph, a record, a manifest, a proof; the same done by somebody who signs everything anew, with
# a photograph, a signature, the words of a record, a record that is struck, a proof; an item left out; another's signature.
wanted="bundle ANCHORED
$(printf 'tampered/%d INVALID\n' 1 2 3 4 5 6 7 8 9)
tampered/10 DIVERGED
tampered/11 UNANCHORED"
declare -A codes=([ANCHORED]=0 [INVALID]=2 [DIVERGED]=3 [UNANCHORED]=4)

failed=0
while read -r bundle verdict; do
  ours=0 theirs=0
  "$fieldseal" --json verify "$out/$bundle" --trust "$out/trust" >"$said/ours" 2>&1 || ours=$?
  python3 -B "$independent" "$out/$bundle" --trust "$out/trust" >"$said/theirs" 2>&1 || theirs=$?
  if [ $ours -eq "${codes[$verdict]}" ] && [ $theirs -eq $ours ] &&
    grep -q "\"verdict\": *\"$verdict\"" "$said/ours" && [ "$(head -n 1 "$said/theirs")" = "$verdict" ]; then
    echo "ok   $bundle is $verdict to both verifiers"
  else
    failed=1
    echo "FAIL $bundle should be $verdict; exit code of ours $ours, of the independent one $theirs"
    head -c 2000 "$said/ours" | sed 's/^/       ours: /'
    head -n 20 "$said/theirs" | sed 's/^/       theirs: /'
  fi
done <<<"$wanted"
exit $failed
