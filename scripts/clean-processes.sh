#!/usr/bin/env bash
# Dumps processes that hold no secret, scans them, and counts what is found: every finding is false, or a constant of a
# program. Says how many there are in each gigabyte, for both profiles of rules.
#
#   scripts/clean-processes.sh [KIND...]        KIND: node java python php ruby chromium; all of these where none is named
#
# One more kind is `texts`, a process of Node that is full of documentation and programs. It is for speed: what is found there are
# the samples of manuals.
#
# DUMPSCRUB names the program (default: target/release/dumpscrub), FOLDER where dumps are written (default: a new temporary
# folder; several gigabytes; removed at the end unless KEEP=1). Needs gdb, python3, and of the kinds what is asked for:
# Debian's nodejs, default-jdk-headless, python3-numpy, php-cli, ruby, chromium.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=${DUMPSCRUB:-$here/../target/release/dumpscrub}
folder=${FOLDER:-$(mktemp -d)}
mkdir -p "$folder"
started=()
finish() {
  for pid in "${started[@]:-}"; do [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; done
  [ -n "${KEEP:-}" ] || rm -rf "$folder"
}
trap finish EXIT

# Starts the program with few variables in its environment, and waits until it says that it is ready.
start() {
  local log=$folder/$1.log
  shift
  env -i PATH="$PATH" LANG=C.UTF-8 HOME="$folder" "$@" >"$log" 2>&1 &
  pid=$!
  started+=("$pid")
  for _ in $(seq 600); do
    grep -q ready "$log" && return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
  echo "the process is not ready:" >&2
  cat "$log" >&2
  return 1
}

# A core of the process by gdb.
dump() {
  gdb -p "$pid" -batch -ex "gcore $folder/$1.core" >"$folder/$1.gdb.log" 2>&1
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
  test -s "$folder/$1.core"
}

# The browser's process, and the largest one that shows a page. Chromium reserves a terabyte, which gdb would write.
chromium_cores() {
  local log=$folder/chromium.log work=$folder/chromium
  mkdir -p "$work"
  env -i PATH="$PATH" LANG=C.UTF-8 HOME="$work" chromium --headless=new --no-sandbox --disable-gpu --disable-breakpad \
    --no-first-run --disable-quic --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir="$work/profile" --remote-debugging-port=0 "file://$here/clean/clean.html" >"$log" 2>&1 &
  pid=$!
  started+=("$pid")
  for _ in $(seq 300); do grep -q "DevTools listening" "$log" && break; sleep 0.2; done
  sleep 10
  python3 "$here/clean/core.py" "$(renderer_below "$pid")" "$folder/renderer.core"
  python3 "$here/clean/core.py" "$pid" "$folder/chromium.core"
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
}

renderer_below() {
  ps -eo pid=,ppid=,rss=,args= | awk -v top="$1" '
    { parent[$1] = $2; if (/--type=renderer/) size[$1] = $3 }
    END {
      for (p in size) {
        for (q = p; q in parent && q != top; q = parent[q]);
        if (q == top && size[p] > most) { most = size[p]; found = p }
      }
      print found
    }'
}

kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(node java python php ruby chromium)
[[ " ${kinds[*]} " != *" chromium "* ]] || kinds+=(renderer)
for kind in "${kinds[@]}"; do
  case $kind in
    node) start node node "$here/clean/clean.mjs" && dump node ;;
    texts) start texts node --max-old-space-size=4096 "$here/clean/texts.mjs" && dump texts ;;
    java) start java java -Xmx512m "$here/clean/Clean.java" && dump java ;;
    python) start python /usr/bin/python3 "$here/clean/clean.py" && dump python ;;
    php) start php php -d memory_limit=1G "$here/clean/clean.php" && dump php ;;
    ruby) start ruby ruby "$here/clean/clean.rb" && dump ruby ;;
    chromium) chromium_cores ;;
    renderer) test -s "$folder/renderer.core" ;;
    *) echo "no such kind: $kind" >&2; exit 2 ;;
  esac
  for profile in default paranoid; do
    code=0
    "$program" scan -q --no-progress --profile "$profile" -f json -o "$folder/$kind.$profile.json" "$folder/$kind.core" || code=$?
    [ "$code" -ne 2 ] || exit 2
  done
done
python3 "$here/clean/count.py" "$folder" "${kinds[@]}"
