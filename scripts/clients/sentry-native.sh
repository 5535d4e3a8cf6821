#!/usr/bin/env bash
# An envelope that sentry-native itself wrote when a program crashed, before and after. The sources of sentry-native 0.4.9 and of
# Breakpad are those that the crate sentry-contrib-native-sys 0.3.1 bundles; Debian: cmake, g++, python3.
# That version has no external crash reporter yet: the call of it, with the envelope as its one argument, is made here.
# scripts/clients/sentry-native.sh target/release/dumpscrub
. "$(dirname "$0")/common.sh"
mkdir -p fetch/src
printf '[package]\nname = "fetch"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n[dependencies]\nsentry-contrib-native-sys = "=0.3.1"\n' >fetch/Cargo.toml
echo 'fn main() {}' >fetch/src/main.rs
(cd fetch && cargo vendor -q vendor >/dev/null)
sources=fetch/vendor/sentry-contrib-native-sys/sentry-native
# The size of a signal's stack is no constant any more since glibc 2.34.
sed -i 's/std::max(16384, SIGSTKSZ)/std::max<long>(16384, SIGSTKSZ)/' "$sources/external/breakpad/src/client/linux/handler/exception_handler.cc"
cmake -S "$sources" -B build -DSENTRY_BACKEND=breakpad -DSENTRY_TRANSPORT=none -DSENTRY_BUILD_SHARED_LIBS=OFF -DSENTRY_BUILD_TESTS=OFF \
  -DSENTRY_BUILD_EXAMPLES=OFF >build.log 2>&1 && cmake --build build >>build.log 2>&1 || { tail build.log; fail "sentry-native does not build"; }
cc -g -O0 -DSENTRY_BUILD_STATIC "-I$sources/include" -c "$here/sentry-native.c" -o app.o
c++ -o app app.o build/libsentry.a $(find build -name libbreakpad_client.a) -lpthread -ldl

printf '\n[[finding]]\nrule = ["sentry-dsn"]\naction = "report"\n' >>policy.toml
dsn=https://$(openssl rand -hex 16)@o417.ingest.sentry.io/1
echo "connect redis://x:$password@cache.internal:6379/0" >app.log
./app key.pem "$dsn" database "postgres://app:$password@db.internal/crm" app.log 2>/dev/null && fail "it did not crash"
envelope=$(find database -name '*.envelope')
must_hold "$envelope"
cp "$envelope" before
printf '#!/bin/sh\nexec cp "$1" %s/sent\n' "$folder" >send
printf '#!/bin/sh\nexec %s hook sentry-native --policy %s/policy.toml "$1" -- %s/send\n' "$program" "$folder" "$folder" >reporter
chmod +x send reporter
./reporter "$envelope"
cmp "$envelope" sent
must_not_hold sent
grep -qaF "$dsn" sent || fail "it does not know any more where to go"
python3 - <<'P'
import json

def read(path):
    data, items = open(path, "rb").read(), []
    end = data.index(b"\n")
    header, at = json.loads(data[:end]), end + 1
    while at < len(data):
        end = data.index(b"\n", at)
        item = json.loads(data[at:end])
        body = data[end + 1 : end + 1 + item["length"]]
        at = end + 1 + item["length"]
        assert data[at : at + 1] in (b"\n", b""), "an item does not end where its length says"
        at += 1
        if item["type"] in ("event", "session"):
            json.loads(body)
        items.append((item, body[:4]))
    return header, items

before, after = read("before"), read("sent")
assert before == after, "headers or items differ"
assert any(start == b"MDMP" for _, start in after[1])
print(f"{len(after[1])} items, each as long as its header says")
P
echo "an envelope of sentry-native is redacted, and handed on"
