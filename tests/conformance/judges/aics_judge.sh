#!/usr/bin/env bash
# Checks a log with aics-tlog, one more implementation of C2SP logs. It needs Python 3.12, so it is an extra judge:
# where there is none, that is said aloud and nothing fails.
#
#   aics_judge.sh LOG VKEY_FILE ENVIRONMENT [OLD_CHECKPOINT INDEX LEAF_HEX]
#
# LOG is a folder or an address; LOG_CA, from the environment, is a PEM file that the address's certificate chains to.
# ENVIRONMENT is a folder for the Python environment; it is made on first use and kept. Exit code 0: all hold, or the last line begins with SKIPPED; 1: a check fails; 64: usage.
set -euo pipefail

if [ $# -ne 3 ] && [ $# -ne 6 ]; then
  echo "usage: $0 LOG VKEY_FILE ENVIRONMENT [OLD_CHECKPOINT INDEX LEAF_HEX]" >&2
  exit 64
fi
log=$1
vkey=$2
environment=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() { echo "SKIPPED aics-tlog: $1"; exit 0; }
# A name alone is not enough: it may be a shim of a version that is not there.
fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; }
find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3; do
    if fits "$name"; then echo "$name"; return; fi
  done
}
if [ ! -x "$environment/bin/aics-tlog" ]; then
  python=$(find_python)
  [ -n "$python" ] || skip "there is no Python 3.12 or newer on this machine"
  rm -rf "$environment"
  "$python" -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check aics-tlog==0.2.1 >"$work/said" 2>&1 ||
    { rm -rf "$environment"; skip "pip could not install it: $(tail -n 1 "$work/said")"; }
fi
check() { # NAME COMMAND…
  local name=$1
  shift
  if SSL_CERT_FILE=${LOG_CA:-${SSL_CERT_FILE:-}} "$@" >"$work/said" 2>&1; then echo "ok   $name"; else
    echo "FAIL $name"
    tail -n 20 "$work/said" | sed 's/^/       /'
    exit 1
  fi
}

aics=$environment/bin/aics-tlog
check "aics-tlog verify-checkpoint" "$aics" verify-checkpoint --vkey-file "$vkey" --tiles "$log"
if [ $# -eq 6 ]; then
  "$environment/bin/python" -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$6" >"$work/leaf"
  check "aics-tlog verify-inclusion --index $5" \
    "$aics" verify-inclusion --vkey-file "$vkey" --tiles "$log" --index "$5" --leaf "$work/leaf"
  check "aics-tlog verify-consistency" \
    "$aics" verify-consistency --vkey-file "$vkey" --tiles "$log" --old-checkpoint "$4"
fi
