#!/usr/bin/env bash
# The bindings, from the built library: the same script in Python and in Kotlin against the real server, the sample app under
# a virtual screen, and Swift's header through a C compiler.
#
#   run.sh TOOLS BIN
#
# TOOLS is the folder of tools (the Kotlin compiler, and what it compiled before); BIN holds libfieldseal.so and the programs
# of the workspace. Lines are `ok …` and `FAIL …`.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: $0 TOOLS BIN" >&2; exit 64; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=$(cd "$1" && pwd)
bin=$(cd "$2" && pwd)
kotlin=$tools/kotlin/node_modules/kotlin-compiler/lib
jna=/usr/share/java/jna.jar
python=/usr/bin/python3
[ -x $python ] || python=python3
work=$(mktemp -d "${TMPDIR:-/tmp}/fieldseal-bindings.XXXXXX")
screen=
trap '[ -z "$screen" ] || kill "$screen" 2>/dev/null; rm -rf "$work"' EXIT

# kotlinc JAR CLASSPATH SOURCE…: compiled once for the same sources, compiler and class path. The bindings take a minute.
kotlinc() {
  local jar=$1 path=$2 key
  shift 2
  key=$(cat "$@" $(tr : ' ' <<<"$path" | tr ' ' '\n' | grep -v '^$') | sha256sum | cut -c 1-32)
  if [ ! -f "$tools/kotlin/cache/$key.jar" ]; then
    mkdir -p "$tools/kotlin/cache"
    java -Xmx1g -cp "$kotlin/*" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -nowarn -jvm-target 17 \
      -cp "$path" -d "$work/compiled.jar" "$@"
    mv "$work/compiled.jar" "$tools/kotlin/cache/$key.jar"
    # What was compiled from sources that changed since is of no use to anybody.
    ls -t "$tools"/kotlin/cache/*.jar | tail -n +9 | xargs -r rm -f
  fi
  cp "$tools/kotlin/cache/$key.jar" "$jar"
}

for language in python kotlin swift; do
  "$bin/uniffi-bindgen" "$bin/libfieldseal.so" "$work/$language" $language >"$work/log" 2>&1 || { cat "$work/log"; echo "FAIL $language bindings are generated"; exit 1; }
done
echo "ok bindings are generated for Python, Kotlin and Swift"
if cc -std=c11 -Wall -Werror -fsyntax-only -x c "$work/swift/fieldsealFFI.h" && grep -q 'public class Device' <(sed 's/open class/public class/' "$work/swift/fieldseal.swift"); then
  echo "ok the header of the Swift bindings compiles"
else
  echo "FAIL the header of the Swift bindings compiles"
fi

ln -s "$bin/libfieldseal.so" "$work/python/libfieldseal.so"
stdlib=$kotlin/kotlin-stdlib.jar
kotlinc "$work/bindings.jar" "$stdlib:$jna" "$work/kotlin/uniffi/fieldseal/fieldseal.kt"
kotlinc "$work/script.jar" "$stdlib:$jna:$work/bindings.jar" "$here"/kotlin/*.kt
classes=$stdlib:$jna:$work/bindings.jar
jvm=(java -Djna.library.path="$bin" -Xmx256m -Dfile.encoding=UTF-8)

plays=(python "$python" -B "$here/python/script.py" -- kotlin "${jvm[@]}" -cp "$classes:$work/script.jar" ScriptKt)
if [ -d "$root/ffi/sample/test" ]; then
  kotlinc "$work/sample.jar" "$classes" "$root"/ffi/sample/src/*.kt
  kotlinc "$work/sample-test.jar" "$classes:$work/sample.jar" "$root"/ffi/sample/test/*.kt "$here/kotlin/Host.kt"
  coproc XVFB { exec Xvfb -displayfd 1 -screen 0 1280x860x24 -nolisten tcp 2>/dev/null; }
  screen=$XVFB_PID
  read -r display <&"${XVFB[0]}"
  plays+=(-- ui env DISPLAY=":$display" FIELDSEAL_CAMERA='cat "$FIELDSEAL_FOLDER/camera.jpg"' "${jvm[@]}" -cp "$classes:$work/sample.jar:$work/sample-test.jar" SampleTestKt)
fi
FIELDSEAL_BIN_DIR=$bin PYTHONPATH=$work/python LC_ALL=C.UTF-8 "$bin/bindings" "${plays[@]}"
