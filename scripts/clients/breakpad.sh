#!/usr/bin/env bash
# A dump that Breakpad's client wrote and whose callback started the hook, before and after. The client is the one that the crate
# breakpad-handler 0.2.0 bundles; Debian: g++. scripts/clients/breakpad.sh target/release/dumpscrub
. "$(dirname "$0")/common.sh"
mkdir -p client/src dumps
printf '[package]\nname = "client"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n[dependencies]\nbreakpad-handler = "=0.2.0"\n' >client/Cargo.toml
cp "$here/breakpad.rs" client/src/main.rs
(cd client && cargo build -q --target-dir ../build)
printf '#!/bin/sh\nexec cp "$1" %s/sent\n' "$folder" >send
chmod +x send
build/debug/client key.pem "$folder/dumps" "$program" "$folder/policy.toml" "$folder/send" 2>log | tee told || true
cat log
grep -q 'exit status: 0' told || fail "the hook did not pass it on"
must_hold before
must_not_hold sent
cmp sent dumps/*.dmp
echo "a dump of Breakpad's client is redacted in its place, and handed on"
