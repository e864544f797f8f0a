#!/usr/bin/env bash
# Checks a hearing bundle with tools that are not ours: the Library of Congress's bagit.py, sha256sum, ssh-keygen.
#
#   bag_judge.sh BUNDLE TRUST [PYTHON]
#
# PYTHON is a Python that has the package bagit; without it `python3` is used. The signer must be in
# TRUST/allowed_signers. One line per check. Exit code 0: all hold; 1: one fails, with the tool's words; 64: usage.
set -euo pipefail

[ $# -eq 2 ] || [ $# -eq 3 ] || { echo "usage: $0 BUNDLE TRUST [PYTHON]" >&2; exit 64; }
bundle=$(cd "$1" && pwd)
trust=$(cd "$2" && pwd)
python=${3:-python3}
said=$(mktemp)
trap 'rm -f "$said"' EXIT

check() { # NAME COMMAND…
  local name=$1
  shift
  if "$@" >"$said" 2>&1; then
    echo "ok   $name"
  else
    echo "FAIL $name"
    tail -n 20 "$said" | sed 's/^/       /'
    exit 1
  fi
}
payload_hashes() { (cd "$bundle" && sha256sum --strict --quiet -c manifest-sha256.txt); }
tag_hashes() { (cd "$bundle" && sha256sum --strict --quiet -c tagmanifest-sha256.txt); }
signed() {
  local tags=$bundle/tagmanifest-sha256.txt principal
  principal=$(ssh-keygen -Y find-principals -f "$trust/allowed_signers" -s "$tags.sig" | head -n 1)
  [ -n "$principal" ] || { echo "the signer is not in allowed_signers"; return 1; }
  ssh-keygen -Y verify -f "$trust/allowed_signers" -I "$principal" -n fieldseal.bundle -s "$tags.sig" <"$tags"
}

check "bagit.py --validate" "$python" -m bagit --validate "$bundle"
check "sha256sum -c manifest-sha256.txt" payload_hashes
check "sha256sum -c tagmanifest-sha256.txt" tag_hashes
check "ssh-keygen -Y verify -n fieldseal.bundle" signed
