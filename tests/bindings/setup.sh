#!/usr/bin/env bash
# Makes the tools of the bindings' tests: the Kotlin compiler.
#
#   setup.sh TOOLS
#
# TOOLS/kotlin/node_modules/kotlin-compiler is there afterwards; what is up to date is left alone. Nothing of the package is
# run while it is installed.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 TOOLS" >&2; exit 64; }
version=2.4.20
mkdir -p "$1/kotlin"
cd "$1/kotlin"
if ! grep -q "\"version\": \"$version\"" node_modules/kotlin-compiler/package.json 2>/dev/null; then
  rm -rf node_modules
  npm install --ignore-scripts --no-audit --no-fund --no-save --silent --prefix . "kotlin-compiler@$version"
fi
