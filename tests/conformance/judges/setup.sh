#!/usr/bin/env bash
# Makes the judges' tools: the Go judge of the log, and a Python environment with bagit and tuspy.
#
#   setup.sh TOOLS
#
# TOOLS/log_judge and TOOLS/python/bin/python are there afterwards; what is up to date is left alone.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 TOOLS" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
tools=$(cd "$1" && pwd)

if [ ! -x "$tools/log_judge" ] || [ "$here/log_judge.go" -nt "$tools/log_judge" ]; then
  # Debian's packages only: no module is downloaded.
  (cd "$tools" && GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' go build -o log_judge "$here/log_judge.go")
fi
if ! "$tools/python/bin/python" -c 'import bagit, tusclient' >/dev/null 2>&1; then
  rm -rf "$tools/python"
  python3 -m venv "$tools/python"
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check bagit==1.9.0 tuspy==1.1.0
fi
