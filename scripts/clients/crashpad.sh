#!/usr/bin/env bash
# A Crashpad database that Crashpad's own code made, before and after; and its lock, held by either side. Crashpad's handler is
# Chromium's (Debian: chromium), or any other that is named: scripts/clients/crashpad.sh target/release/dumpscrub [HANDLER]
. "$(dirname "$0")/common.sh"
handler=${2:-/usr/lib/chromium/chrome_crashpad_handler}
[ -x "$handler" ] || fail "$handler is no program"
cc -g -O0 -o client "$here/crashpad.c"
echo "connect postgres://app:$password@db.internal/crm" >log.txt
crash() { ./client key.pem "$handler" "--database=$folder/database" "--attachment=$folder/log.txt" --no-periodic-tasks 2>/dev/null; }
hook() { "$program" hook crashpad --policy policy.toml "$@" database; }
dumps() { find database -name '*.dmp' | wc -l; }

echo "== once"
crash
crash
[ "$(dumps)" -eq 2 ] || fail "Crashpad wrote $(dumps) dumps, expected 2"
find database -name '*.dmp' | while read -r dump; do must_hold "$dump"; done
find database/attachments -type f | while read -r file; do must_hold "$file"; done
find database -type f ! -name '*.dmp' ! -path '*attachments*' -exec md5sum {} + | sort >others
hook
find database -type f | while read -r file; do must_not_hold "$file"; done
find database -type f ! -name '*.dmp' ! -path '*attachments*' -exec md5sum {} + | sort | cmp - others || fail "records changed"

echo "== watched: ten crashes"
hook --watch 2>log &
watch=$!
for _ in $(seq 10); do crash; done
decided() { grep -c 'dmp" outcome="redacted"' log || true; }
for _ in $(seq 120); do [ "$(decided)" -ge 10 ] && break; sleep 0.5; done
kill "$watch"
wait "$watch" 2>/dev/null || true
[ "$(dumps)-$(decided)" = 12-10 ] || fail "$(dumps) dumps, $(decided) decided"
find database -type f | while read -r file; do must_not_hold "$file"; done
[ -z "$(find database -name '*.lock')" ] || fail "a lock was left"

echo "== the lock"
for round in crashpad hook; do
  rm -r database
  crash
  crash
  python3 "$here/crashpad.py" "$round" "$handler" "$program" || fail "the lock, held by $round"
done
must_not_hold uploaded
find database -name '*.dmp' | while read -r dump; do must_not_hold "$dump"; done
echo "Crashpad's own databases are redacted in their places, and each side honours the other's lock"
