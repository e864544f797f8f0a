#!/usr/bin/env bash
# Makes the browser tests' modules: playwright-core and axe-core, of the versions and with the hashes of package-lock.json.
#
#   setup.sh TOOLS
#
# TOOLS/browser/node_modules is there afterwards; what is up to date is left alone. Nothing of it is shipped.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 TOOLS" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
folder=$1/browser
mkdir -p "$folder"
cmp -s "$here/package-lock.json" "$folder/package-lock.json" && [ -d "$folder/node_modules/axe-core" ] && exit 0
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$folder/"
(cd "$folder" && npm ci --no-audit --no-fund --loglevel=error)
