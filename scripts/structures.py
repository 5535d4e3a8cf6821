#!/usr/bin/env python3
"""Plants credentials in the structures that services hold them in, in a process, dumps it, and says which values are found, and
whether any is left after redaction and what stands around each is still there.

Each structure is planted as a C string, in UTF-16, and as a string of JSON, each time with other secrets made at this run; what is bytes and no text, as bytes.
Needs gdb.

    scripts/structures.py [--program target/release/dumpscrub] [--profile paranoid] [--keep FOLDER] [--only WORD] [--part 1/4]
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import string
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid as uuids

from victim import dump, found_by, report_of

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
WORD = LOWER + UPPER + DIGITS
RANDOM = random.SystemRandom()
letters = lambda alphabet, count: "".join(RANDOM.choice(alphabet) for _ in range(count))
url64 = lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")
b64 = lambda raw: base64.b64encode(raw).decode()
part = lambda value: url64(json.dumps(value, separators=(",", ":")).encode())


def password():
    """As people and generators make them: letters with a digit and a sign, or letters alone."""
    kind = RANDOM.randrange(3)
    if kind == 0:
        return letters(WORD, 6) + RANDOM.choice("!_-.~") + letters(WORD, 8) + RANDOM.choice(DIGITS)
    if kind == 1:
        return letters(WORD, 15) + RANDOM.choice(DIGITS)
    return letters(LOWER, 5).title() + "-" + letters(LOWER, 6) + "-" + letters(LOWER, 5) + RANDOM.choice(DIGITS)


def jwt(claims=None):
    head = part({"alg": RANDOM.choice(["HS256", "RS256", "ES256"]), "typ": "JWT", "kid": letters(WORD, 8)})
    return f"{head}.{part(claims or {'sub': letters(LOWER, 9), 'exp': RANDOM.randrange(10**9)})}.{url64(os.urandom(64))}"


def jwe():
    head = part({"alg": "dir", "enc": "A256GCM"})
    return f"{head}..{url64(os.urandom(12))}.{url64(os.urandom(90))}.{url64(os.urandom(16))}"


def jwe_wrapped():
    head = part({"alg": "RSA-OAEP-256", "enc": "A256CBC-HS512", "cty": "JWT"})
    return f"{head}.{url64(os.urandom(256))}.{url64(os.urandom(16))}.{url64(os.urandom(200))}.{url64(os.urandom(32))}"


def macaroon(raw=base64.urlsafe_b64encode):
    def packet(key, value):
        data = key.encode() + b" " + value + b"\n"
        return f"{len(data) + 4:04x}".encode() + data
    body = packet("location", b"shop.corp.internal") + packet("identifier", b"user-" + letters(DIGITS, 6).encode())
    body += packet("cid", b"time < 2031-01-01T00:00") + packet("signature", os.urandom(32))
    return raw(body).decode().rstrip("=")


def macaroon2():
    """Format 2: a version byte, then fields of type, length and value."""
    location, identifier = b"shop.corp.internal", b"user-" + letters(DIGITS, 8).encode()
    field = lambda kind, value: bytes([kind, len(value)]) + value
    body = b"\x02" + field(1, location) + field(2, identifier) + b"\0\0" + field(6, os.urandom(32))
    return url64(body)


def django():
    payload = url64(json.dumps({"_auth_user_id": letters(DIGITS, 3), "h": letters(WORD, 30)}).encode())
    return f"{payload}:{letters(WORD, 6)}:{url64(os.urandom(32))}"


def flask():
    return f"{part({'user_id': RANDOM.randrange(10**6), '_fresh': True})}.{letters(WORD, 6)}.{url64(os.urandom(20))}"


def laravel():
    return urllib.parse.quote(b64(json.dumps({"iv": b64(os.urandom(16)), "value": b64(os.urandom(160)), "mac": os.urandom(32).hex(), "tag": ""}).encode()))


def dataprotection():
    return "CfDJ8" + url64(os.urandom(150))


def mssaml():
    xml = ('<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_' + os.urandom(16).hex() + '"><saml:Assertion ID="_a"><ds:Signature>'
           "<ds:SignatureValue>" + b64(os.urandom(256)) + "</ds:SignatureValue></ds:Signature></saml:Assertion></samlp:Response>")
    return b64(xml.encode())


def phpass():
    return letters(WORD, 32)


TYPES = {
    "pw": password,
    "letters": lambda: letters(LOWER + UPPER, 18),
    "long": lambda: letters(WORD + "!#%^*()_-+=[]{}.,~", 20).replace("%", "~") + RANDOM.choice(DIGITS),
    "hex32": lambda: os.urandom(16).hex(),
    "hex40": lambda: os.urandom(20).hex(),
    "hex64": lambda: os.urandom(32).hex(),
    "hex128": lambda: os.urandom(64).hex(),
    "uuid": lambda: str(uuids.uuid4()),
    "tok20": lambda: letters(WORD, 19) + RANDOM.choice(DIGITS),
    "tok32": lambda: letters(WORD, 31) + RANDOM.choice(DIGITS),
    "tok40": lambda: letters(WORD, 39) + RANDOM.choice(DIGITS),
    "tok64": lambda: letters(WORD, 63) + RANDOM.choice(DIGITS),
    "tok26": lambda: letters(LOWER + DIGITS, 25) + RANDOM.choice(DIGITS),
    "low32": lambda: letters(LOWER + DIGITS, 31) + RANDOM.choice(DIGITS),
    "url43": lambda: url64(os.urandom(32)),
    "b64-32": lambda: b64(os.urandom(32)),
    "b64-64": lambda: b64(os.urandom(64)),
    "aws40": lambda: letters(WORD + "/+", 39) + RANDOM.choice(DIGITS),
    "basic": lambda: b64(f"svc:{password()}".encode()),
    "pwb64": lambda: b64(password().encode()),
    "sas": lambda: urllib.parse.quote(b64(os.urandom(32)), safe=""),
    "pct": lambda: urllib.parse.quote(password() + "@/" + letters(WORD, 3), safe=""),
    "jwt": jwt,
    "jwe": jwe,
    "jwew": jwe_wrapped,
    "macaroon": macaroon,
    "macaroon2": macaroon2,
    "paseto": lambda: "v4.local." + url64(os.urandom(120)),
    "pasetop": lambda: "v4.public." + url64(json.dumps({"sub": letters(LOWER, 8)}).encode() + os.urandom(64)),
    "django": django,
    "flask": flask,
    "laravel": laravel,
    "cfdj8": dataprotection,
    "saml": mssaml,
    "samlpct": lambda: urllib.parse.quote(mssaml(), safe=""),
    "sigval": lambda: b64(os.urandom(256)),
    "rt": lambda: "0." + letters(WORD, 40) + "." + letters(WORD + "_-", 400),
    "onerefresh": lambda: "1//0" + letters(WORD + "_-", 96),
    "ya29": lambda: "ya29." + letters(WORD + "_-", 190),
    "express": lambda: "s%3A" + letters(WORD + "_-", 32) + "." + urllib.parse.quote(b64(os.urandom(32)).rstrip("="), safe=""),
    "rails": lambda: urllib.parse.quote(b64(os.urandom(180)), safe="") + "--" + urllib.parse.quote(b64(os.urandom(12)), safe="") + "--" + urllib.parse.quote(b64(os.urandom(16)), safe=""),
    "jsess": lambda: letters("0123456789ABCDEF", 32),
    "vnc8": lambda: ",".join(f"{b:02x}" for b in os.urandom(8)),
    "hex80": lambda: os.urandom(40).hex(),
    "bitlocker": lambda: "-".join(f"{11 * RANDOM.randrange(2 ** 16):06}" for _ in range(8)),
    "signs": lambda: letters(WORD, 5) + RANDOM.choice("$*+!") + letters(WORD, 6) + RANDOM.choice(DIGITS),
    "wpcookie": lambda: f"admin%7C{RANDOM.randrange(10**9, 2 * 10**9)}%7C{letters(WORD, 43)}%7C{os.urandom(32).hex()}",
}

# What it is: how it is written there. A mark such as {{pw}} stands for a secret; {{!uuid}} for something that is none.
CASES = {}


def case(item, **texts):
    for name, text in texts.items():
        CASES[f"{item}/{name}"] = text


for file in sorted((pathlib.Path(__file__).parent / "structures").glob("*.py")):
    exec(compile(file.read_text(), str(file), "exec"))

MARK = re.compile(r"\{\{(!?)([A-Za-z0-9-]+)\}\}")


def fill(text):
    """The text with its secrets, and the secrets."""
    secrets = []

    def put(mark):
        value = TYPES[mark[2]]()
        if not mark[1]:
            secrets.append(value)
        return value

    return MARK.sub(put, text), secrets


# Groups whose structures are bytes: command lines with NULs between the words, messages of protocols. Nobody writes these in UTF-16
# or as a string of JSON.
BYTES = ("argv", "argv2", "redisargv", "wire", "ldap", "snmp")
CONTROL = re.compile("[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f]")


def forms_of(name, text):
    """The forms in which somebody writes the structure."""
    bare = CONTROL.search(text) or ("\0" in text and name.split("/")[0] in BYTES)
    return {"C": FORMS["C"]} if bare else FORMS


FORMS = {
    "C": lambda text: text.encode() + b"\0",
    "W": lambda text: text.encode("utf-16-le") + b"\0\0",
    "J": lambda text: json.dumps({"value": text}).encode() + b"\0",
}

def readings(secret):
    """The secret, and what it decodes to: where a value is a user's name and a password in base64, the password is the secret."""
    values = [secret, urllib.parse.unquote(secret)]
    try:
        text = base64.b64decode(values[1] + "==", validate=False).decode()
        values += [text.split(":", 1)[-1], text.split("\0")[-1]]
        values += re.findall(r"SignatureValue>([^<]+)<", text)
    except ValueError:
        pass
    return values


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", default="target/release/dumpscrub")
    arguments.add_argument("--only", default="")
    arguments.add_argument("--part", default="1/1", help="such as 2/4: the second quarter of the structures")
    arguments.add_argument("--keep")
    arguments.add_argument("--rules", action="append", default=[])
    arguments.add_argument("--profile", default="default")
    given = arguments.parse_args()
    planted, blob = [], b"\0" * 4096
    part, parts = map(int, given.part.split("/"))
    for number, (name, text) in enumerate(CASES.items()):
        if given.only not in name or number % parts != part - 1:
            continue
        for form, write in forms_of(name, text).items():
            for _ in range(2):
                filled, secrets = fill(text)
                place = len(blob) + 3
                blob += b"\xff\x01\0" + write(filled) + b"\0" * RANDOM.choice([5, 8, 13])
                planted.append((name, form, filled, secrets, place, len(blob)))
    folder = given.keep or tempfile.mkdtemp()
    pathlib.Path(folder).mkdir(exist_ok=True)
    core = f"{folder}/core"
    say = lambda what: print(f"{time.monotonic() - begun:6.1f} s  {what}", file=sys.stderr, flush=True)
    begun = time.monotonic()
    say(f"{len(planted)} texts, {len(blob)} bytes")
    dump(blob, core)
    say("dumped")
    more = [w for file in given.rules for w in ("--rules", file)] + ["--profile", given.profile]
    report = report_of(given.program, core, *more)
    found = found_by(report)
    say("scanned")
    out = core + ".redacted"
    result = subprocess.run([given.program, "redact", *more, "--force", "-q", "--no-progress", core, "-o", out], capture_output=True)
    redacted = result.returncode == 0
    say("redacted")
    if not redacted:
        print("redact:", result.returncode, result.stderr.decode())
    before, after = pathlib.Path(core).read_bytes(), pathlib.Path(out).read_bytes() if redacted else b""
    # The one copy that is whole; others are pieces that were read.
    base = before.find(blob)
    assert base > 0
    rows, total, missed, left, syntax = {}, 0, [], [], []
    sites = sorted((site["offset"], site["offset"] + site["length"]) for finding in report["findings"] for site in finding["sites"])

    def is_covered(start, end, secret):
        """Whether a site lies over all of the secret: a key is told by its public half, and its text is not in the report."""
        for raw in (secret.encode(), secret.encode("utf-16-le")):
            place = before.find(raw, base + start, base + end)
            if place >= 0:
                return any(a <= place and b >= place + len(raw) - 1 for a, b in sites)
        return False

    found.update({urllib.parse.unquote(text): rule for text, rule in found.items()})
    for name, form, text, secrets, start, end in planted:
        for secret in secrets:
            total += 1
            values = readings(secret)
            exact = any(value in found for value in values)
            near = exact or any(v in other or (len(other) > 8 and other in v) for other in found for v in values)
            # Of a key the report has no text.
            if not near and is_covered(start, end, secret):
                near = exact = True
            rows.setdefault(name, []).append((form, exact, near))
            if not near:
                missed.append((name, form, secret))
            elif not exact:
                near = next(o for o in found for v in values if v in o or (len(o) > 8 and o in v))
                syntax.append((name, form, "wide" if secret in near else "short", found[near], near[:60], secret[:40]))
            for write in (str.encode, lambda s: s.encode("utf-16-le"), lambda s: json.dumps(s)[1:-1].encode()):
                if redacted and write(secret) in after:
                    left.append((name, form, secret))
                    break
        if redacted:
            # What stands around the secrets is as it was.
            want, at = FORMS[form](text), 0
            now = after[base + start: base + start + len(want)]
            masked = text
            for secret in secrets:
                masked = masked.replace(secret, "\x02" * len(secret))
            shown = FORMS[form](masked) if form != "J" else json.dumps({"value": text}).encode() + b"\0"
            if form == "J":
                for secret in secrets:
                    raw = json.dumps(secret)[1:-1].encode()
                    shown = shown.replace(raw, b"\x02" * len(raw))
            changed = [i for i, (a, b, m) in enumerate(zip(want, now, shown)) if a != b and m != 2 and not (form == "W" and shown[i - 1: i] == b"\x02")]
            if changed:
                syntax.append((name, form, "SYNTAX", bytes(want[changed[0]:changed[-1] + 1])[:60], "", ""))
    for name, row in rows.items():
        bad = [f"{form}:{'near' if near else 'MISSED'}" for form, exact, near in row if not exact]
        if bad:
            print(f"{name:44} {' '.join(bad)}")
    print(f"{len(rows)} structures, {total} secrets, {len(missed)} missed, {len(left)} left after redaction")
    for row in missed:
        print("missed", *row)
    for row in syntax:
        print("inexact", *row)
    for row in sorted(set(left) - set(missed)):
        print("left", *row)
    return 1 if missed or left else 0


if __name__ == "__main__":
    sys.exit(main())
