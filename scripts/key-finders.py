#!/usr/bin/env python3
"""Compares the search for keys that are no text with aeskeyfind and rsakeyfind, on the same files in the same run.

    scripts/key-finders.py DUMP...

For each dump: the processor time of aeskeyfind beside that of our pass that does the same (round keys of AES), of rsakeyfind
beside that of our hunts for RSA (Montgomery's constants, the join, the division of one modulus in all forms), and of a whole
scan on one thread. Then whether every key that either of them found is among our findings. A dump is made first of which it is
known what is in it (noise, and a fresh RSA key and an AES schedule), so that a tool that finds nothing is seen to work.

Needs both tools, openssl, and cargo for the benchmark. DUMPSCRUB names the program (default: target/release/dumpscrub),
PASSES a benchmark that is built (default: built by cargo).
Exits with 1 where a key was missed.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PROGRAM = os.environ.get("DUMPSCRUB", os.path.join(ROOT, "target/release/dumpscrub"))
# What is said of a key of OpenSSL's self-tests, whose value is not printed.
PUBLIC = "public knowledge: a key that only counts"


def run(command, **more):
    """Output and processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows(dump):
    """Seconds of the rows of the benchmark, by what they are."""
    env = dict(os.environ, DUMPSCRUB_BENCH_DUMPS=os.path.abspath(dump), DUMPSCRUB_BENCH_PASSES="aes,rsa")
    built = os.environ.get("PASSES")
    out, _ = run([built] if built else ["cargo", "bench", "--quiet", "--bench", "passes"], env=env, cwd=ROOT)
    rates = dict(re.findall(r"^(.*?)\s+([\d.]+) GB/s", out, re.M))
    if "round keys of AES" not in rates:
        sys.exit("the benchmark did not run")
    return {what: os.path.getsize(dump) / 1e9 / max(float(rate), 1e-9) for what, rate in rates.items()}


def ours(dump):
    """AES keys, the file's places of RSA keys, and the processor seconds of a whole scan."""
    out, seconds = run([PROGRAM, "scan", "-q", "--no-progress", "-j1", "--show-secrets", "-f", "jsonl", dump])
    aes, rsa, rules = set(), [], {}
    for row in map(json.loads, out.splitlines()):
        if row["type"] == "finding":
            rules[row["number"]] = row["rule"]
            aes.update(secret["hex"] for secret in row.get("secret", []) if "hex" in secret)
            if PUBLIC in row["public"].get("context", []):
                aes.update(bytes(range(size)).hex() for size in (16, 24, 32))
        elif row["type"] == "site" and rules[row["finding"]] == "rsa-private-key":
            rsa.append((row["offset"], row["offset"] + row["length"]))
    return aes, rsa, seconds


def control(folder):
    """A dump with an RSA key in DER and the round keys of an AES-128 key, both fresh, in noise."""
    key = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True).stdout
    der = ["openssl", "rsa", "-traditional", "-outform", "DER"]
    der = subprocess.run(der, input=key, check=True, capture_output=True).stdout
    noise = os.urandom
    path = os.path.join(folder, "control")
    with open(path, "wb") as out:
        out.write(noise(1 << 20) + der + noise(4096 + 5) + schedule(noise(16)) + noise(1 << 20))
    return path


def schedule(key):
    """Round keys of AES-128 (FIPS 197, section 5.2)."""
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ p << 1 & 0xFF ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q = (q ^ q << 4) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        turned = [q << n & 0xFF | q >> 8 - n for n in range(5)]
        box[p] = turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    words, rcon = [list(key[i : i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = list(words[-1])
        if i % 4 == 0:
            word = [box[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = rcon << 1 ^ (0x11B if rcon & 0x80 else 0)
        words.append([a ^ b for a, b in zip(words[i - 4], word)])
    return bytes(b for word in words for b in word)


def compare(dump, name):
    aes, rsa, whole = ours(dump)
    keys, aeskeyfind = run(["aeskeyfind", "-q", dump])
    places, rsakeyfind = run(["rsakeyfind", dump])
    keys = set(re.findall(r"^[0-9a-f]{32,64}$", keys, re.M))
    places = [int(at, 16) for at in re.findall(r"FOUND PRIVATE KEY AT ([0-9a-f]+)", places)]
    # The structure begins some bytes before its first private number.
    missed = [key for key in keys if key not in aes]
    missed += [hex(at) for at in places if not any(at <= start < at + 2048 or start <= at < end for start, end in rsa)]
    times = rows(dump)
    pass_aes = times["round keys of AES"]
    hunts = sum(took for what, took in times.items() if re.match("Montgomery|numbers joined|division of 1 ", what))
    print(f"{name:<28} {os.path.getsize(dump) / 1e6:>8.1f} {aeskeyfind:>10.2f} {pass_aes:>8.4f} {aeskeyfind / pass_aes:>7.0f}"
          f" {rsakeyfind:>10.2f} {hunts:>8.4f} {whole:>7.2f} {len(keys):>5} {len(places):>5} {len(missed):>6}", flush=True)
    return missed, keys, places


def main():
    print(f"{'dump':<28} {'MB':>8} {'aeskeyfind':>10} {'AES pass':>8} {'times':>7} {'rsakeyfind':>10} {'RSA':>8} {'scan':>7}"
          f" {'AES':>5} {'RSA':>5} {'missed':>6}")
    with tempfile.TemporaryDirectory() as folder:
        lost, keys, places = compare(control(folder), "control")
    if not keys or not places:
        sys.exit("the other tools do not find what was put in")
    for dump in sys.argv[1:]:
        lost = lost + compare(dump, "/".join(dump.split("/")[-2:]))[0]
    print("seconds of processor time; AES and RSA: keys that the other tools tell of; missed: of those, what we do not find")
    for key in lost:
        print("missed:", key)
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
