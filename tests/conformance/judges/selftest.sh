#!/usr/bin/env bash
# Do the judges judge? Makes throw-away data with tools that are not ours, sees each judge accept it, spoils one thing
# at a time and sees each judge refuse. A judge that cannot fail is worth nothing.
#
#   selftest.sh TOOLS
#
# TOOLS is a folder for the built Go judge and the Python environments; it is kept between runs. Exit code 0: every
# judge accepted what is right and refused what is not.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 TOOLS" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
tools=$(cd "$1" && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
passed=0
failed=0

expect() { # accept|refuse WHAT COMMAND…
  local wanted=$1 what=$2 code=0
  shift 2
  "$@" >"$work/said" 2>&1 || code=$?
  if { [ "$wanted" = accept ] && [ $code -eq 0 ]; } || { [ "$wanted" = refuse ] && [ $code -eq 1 ]; }; then
    passed=$((passed + 1))
    echo "ok   ${wanted}s $what"
  else
    failed=$((failed + 1))
    echo "FAIL should $wanted $what; exit code $code:"
    sed 's/^/       /' "$work/said"
  fi
}
spoil() { # FILE OFFSET: changes one bit
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1")
  printf "$(printf '\\%03o' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
fresh() { rm -rf "$work/$2"; cp -r "$work/$1" "$work/$2"; }

# The log.
"$here/setup.sh" "$tools"
(cd "$work" && GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' go build -o make_log "$here/selftest/make_log.go")
mkdir "$work/data"
"$work/make_log" "$work/data" 1000 300 517
leaf=$(cat "$work/data/leaf")
log() { "$tools/log_judge" -vkey "$work/data/log.vkey" "$@"; }
expect accept "a log with inclusion, proof and consistency" \
  log -log "$work/data/log" -old "$work/data/old" -leaf "$leaf" -index 517 -proof "$work/data/proof"
expect refuse "a leaf at another index" log -log "$work/data/log" -leaf "$leaf" -index 518
expect refuse "another leaf" log -log "$work/data/log" -leaf "${leaf//[0-4]/5}" -index 517
expect refuse "a fork" log -log "$work/data/log" -old "$work/data/fork"
echo "$leaf 517 $work/data/proof" >"$work/leaves"
expect accept "a list of leaves" log -log "$work/data/log" -leaves "$work/leaves"
echo "$leaf 518 $work/data/proof" >"$work/leaves"
expect refuse "a list with a leaf at another index" log -log "$work/data/log" -leaves "$work/leaves"
: >"$work/leaves"
expect refuse "an empty list of leaves" log -log "$work/data/log" -leaves "$work/leaves"
for file in checkpoint tile/0/002 tile/0/003.p/232 tile/1/000.p/3 tile/entries/001; do
  fresh data/log spoilt
  spoil "$work/spoilt/$file" 60
  expect refuse "one bit changed in $file" log -log "$work/spoilt"
done
fresh data/log spoilt
rm "$work/spoilt/tile/entries/002"
expect refuse "a missing entry bundle" log -log "$work/spoilt"
fresh data/proof spoilt
spoil "$work/spoilt" 60
expect refuse "one bit changed in a proof" log -log "$work/data/log" -proof "$work/spoilt" -leaf "$leaf"

aics() { "$here/aics_judge.sh" "$1" "$work/data/log.vkey" "$tools/aics" "$2" 517 "$leaf"; }
expect accept "the same log with aics-tlog" aics "$work/data/log" "$work/data/old"
if grep -q ^SKIPPED "$work/said"; then
  cat "$work/said"
else
  expect refuse "a fork with aics-tlog" aics "$work/data/log" "$work/data/fork"
fi

# The bag.
bag=$work/bag
mkdir -p "$bag/data" "$work/trust"
echo "a photograph" >"$bag/data/photo.txt"
printf 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n' >"$bag/bagit.txt"
cat >"$bag/README.md" <<'README'
# How to check

```sh
openssl dgst -sha256 data/photo.txt | grep -q "$(cut -d ' ' -f 1 manifest-sha256.txt)"
```

Not a command:

```
false
```

```sh
test -f "$TRUST/allowed_signers"
```

```python
assert open('data/photo.txt').read() == 'a photograph\n'
```
README
(cd "$bag" && sha256sum data/photo.txt >manifest-sha256.txt && sha256sum README.md bagit.txt manifest-sha256.txt >tagmanifest-sha256.txt)
ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/key"
ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/other"
echo "bureau@judges.example namespaces=\"fieldseal.bundle\" $(cat "$work/key.pub")" >"$work/trust/allowed_signers"
sign() { rm -f "$1/tagmanifest-sha256.txt.sig"; ssh-keygen -q -Y sign -n "$3" -f "$2" "$1/tagmanifest-sha256.txt" 2>/dev/null; }
sign "$bag" "$work/key" fieldseal.bundle
bag() { "$here/bag_judge.sh" "$1" "$work/trust" "$tools/python/bin/python"; }
expect accept "a bag" bag "$bag"
fresh bag spoilt
spoil "$work/spoilt/data/photo.txt" 0
expect refuse "one bit changed in the payload" bag "$work/spoilt"
fresh bag spoilt
echo more >"$work/spoilt/data/more.txt"
expect refuse "a file that no manifest lists" bag "$work/spoilt"
fresh bag spoilt
rm "$work/spoilt/data/photo.txt"
expect refuse "a missing file" bag "$work/spoilt"
fresh bag spoilt
sign "$work/spoilt" "$work/other" fieldseal.bundle
expect refuse "a bag signed by its bearer" bag "$work/spoilt"
fresh bag spoilt
sign "$work/spoilt" "$work/key" another.namespace
expect refuse "a signature for another namespace" bag "$work/spoilt"

# The commands in the README.
readme() { "$here/openssl_head.sh" "$1" "$work/trust"; }
expect accept "a README whose commands succeed" readme "$bag"
fresh bag spoilt
spoil "$work/spoilt/data/photo.txt" 0
expect refuse "a README whose openssl command fails" readme "$work/spoilt"
fresh bag spoilt
sed -i 's/^assert open/assert not open/' "$work/spoilt/README.md"
expect refuse "a README whose Python fails" readme "$work/spoilt"
fresh bag spoilt
sed -i 's/^```\(sh\|python\)/```/' "$work/spoilt/README.md"
expect refuse "a README without commands" readme "$work/spoilt"

# The upload.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=127.0.0.1 \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$work/tls.key" -out "$work/tls.pem" 2>/dev/null
echo secret >"$work/token"
echo wrong >"$work/wrong"
dd if=/dev/urandom of="$work/video" bs=1000 count=700 status=none
serve() { # [forgetful]: sets $url
  [ -z "$server" ] || { kill "$server"; wait "$server" 2>/dev/null || true; }
  mkfifo "$work/ready"
  python3 "$here/selftest/tus_server.py" "$work/tls.pem" "$work/tls.key" secret "$@" >"$work/ready" &
  server=$!
  read -r url <"$work/ready"
  rm "$work/ready"
  url=${url#listening on }
}
tus() { "$tools/python/bin/python" "$here/tus_judge.py" "$url" "$1" "$work/video" 300001 --ca "$work/tls.pem"; }
serve
expect accept "an upload that resumes" tus "$work/token"
expect refuse "a wrong token" tus "$work/wrong"
serve forgetful
expect refuse "a server that forgets a byte" tus "$work/token"

echo "$passed judgements right, $failed wrong"
[ $failed -eq 0 ]
