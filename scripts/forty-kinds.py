#!/usr/bin/env python3
"""Plants secrets of forty kinds in a process, dumps it, and says which of them are found.

Each kind is planted six times, each time with another secret made at this run: as a C string, in UTF-16, in base64, in hexadecimal
digits, with percent signs and with backslashes. No two are the same, so none is found because another was. Needs gdb.

    scripts/forty-kinds.py [--program target/release/dumpscrub] [--kingfisher PROGRAM] [--redact]
"""

import argparse
import base64
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
import zlib

from victim import dump, found_by, report_of

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
WORD = LOWER + UPPER + DIGITS
HEX = DIGITS + "abcdef"
RANDOM = random.SystemRandom()


def letters(alphabet, count):
    return "".join(RANDOM.choice(alphabet) for _ in range(count))


def url64(count):
    return letters(WORD + "-_", count)


def base62(number, width):
    digits, text = DIGITS + UPPER + LOWER, ""
    while number:
        number, digit = divmod(number, 62)
        text = digits[digit] + text
    return text.rjust(width, "0")


def github(prefix):
    body = letters(WORD, 30)
    return prefix + body + base62(zlib.crc32(body.encode()), 6)


def jwt():
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    head, body = part({"alg": "HS256", "typ": "JWT"}), part({"sub": letters(LOWER, 9), "exp": RANDOM.randrange(10**9)})
    return f"{head}.{body}.{url64(43)}"


def uuid():
    return "-".join(letters(HEX, n) for n in (8, 4, 4, 4, 12))


def luhn_free(alphabet, count):
    """Letters of which some are digits, as random ones nearly always are."""
    return letters(alphabet, count - 1) + RANDOM.choice(DIGITS)


def bech32(head, data_bits):
    chars = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    data = [RANDOM.randrange(32) for _ in range(data_bits)]
    data[-1] &= 0b10000  # Padding bits are zero.
    values = [ord(c) >> 5 for c in head] + [0] + [ord(c) & 31 for c in head] + data
    check = 1
    for value in values + [0] * 6:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            check ^= generator if top >> bit & 1 else 0
    check ^= 1
    return (head + "1" + "".join(chars[d] for d in data + [check >> 5 * (5 - i) & 31 for i in range(6)])).upper()


def around(before, secret, behind=""):
    return before + secret + behind, secret


# Each kind: a text as programs hold it, and the secret in it.
KINDS = {
    "GitHub token": lambda: around("", github("ghp_")),
    "GitHub app token": lambda: around("", github("ghs_")),
    "GitHub fine-grained token": lambda: around("", f"github_pat_{letters(WORD, 22)}_{letters(WORD, 59)}"),
    "GitLab token": lambda: around("", "glpat-" + url64(20)),
    "npm token": lambda: around("", github("npm_")),
    "PyPI token": lambda: around("", "pypi-AgEIcHlwaS5vcmc" + url64(150)),
    "Docker Hub token": lambda: around("", "dckr_pat_" + url64(27)),
    "RubyGems key": lambda: around("", "rubygems_" + letters(HEX, 48)),
    "AWS secret key": lambda: around(f"AWS_ACCESS_KEY_ID=AKIA{letters(UPPER + '234567', 16)} AWS_SECRET_ACCESS_KEY=", letters(WORD, 40)),
    "Google API key": lambda: around("", "AIza" + letters(WORD, 35)),
    "Google OAuth secret": lambda: around("", "GOCSPX-" + url64(28)),
    "Azure storage key": lambda: around(
        f"DefaultEndpointsProtocol=https;AccountName=acct{letters(LOWER, 6)};AccountKey=",
        base64.b64encode(os.urandom(64)).decode(),
        ";EndpointSuffix=core.windows.net",
    ),
    "DigitalOcean token": lambda: around("", "dop_v1_" + letters(HEX, 64)),
    "Slack bot token": lambda: around("", f"xoxb-{letters(DIGITS, 12)}-{letters(DIGITS, 12)}-{letters(WORD, 24)}"),
    "Slack webhook": lambda: around("", f"https://hooks.slack.com/services/T{letters(UPPER + DIGITS, 8)}/B{letters(UPPER + DIGITS, 10)}/{letters(WORD, 24)}"),
    "Telegram bot token": lambda: around("https://api.telegram.org/bot", f"{RANDOM.randrange(10**9, 9 * 10**9)}:AA{url64(33)}", "/getMe"),
    "Stripe key": lambda: around("", "sk_live_" + letters(WORD, 99)),
    "SendGrid key": lambda: around("", f"SG.{url64(22)}.{url64(43)}"),
    "Mailchimp key": lambda: around("", f"{letters(HEX, 32)}-us{RANDOM.randrange(1, 20)}"),
    "Shopify token": lambda: around("", "shpat_" + letters(HEX, 32)),
    "OpenAI key": lambda: around("", f"sk-proj-{url64(74)}T3BlbkFJ{url64(74)}"),
    "Anthropic key": lambda: around("", f"sk-ant-api03-{url64(93)}AA"),
    "Hugging Face token": lambda: around("", "hf_" + letters(LOWER + UPPER, 34)),
    "Groq key": lambda: around("", "gsk_" + letters(WORD, 52)),
    "Databricks token": lambda: around("", "dapi" + letters(HEX, 32)),
    "Vault token": lambda: around("", "hvs." + url64(90)),
    "Grafana token": lambda: around("", (lambda body: f"glsa_{body}_{zlib.crc32(f'glsa_{body}'.encode()).to_bytes(4, 'little').hex()}")(letters(WORD, 32))),
    "New Relic key": lambda: around("", "NRAK-" + letters(UPPER + DIGITS, 27)),
    "Linear key": lambda: around("", "lin_api_" + letters(WORD, 40)),
    "Doppler token": lambda: around("", "dp.pt." + letters(WORD, 43)),
    "PlanetScale token": lambda: around("", "pscale_tkn_" + url64(43)),
    "Atlassian token": lambda: around("", f"ATATT3xFfGF0{url64(171)}={letters(HEX.upper(), 8)}"),
    "Age key": lambda: around("", bech32("age-secret-key-", 52)),
    "JSON Web Token": lambda: around("", jwt()),
    "PostgreSQL URL": lambda: around("postgres://orders:", letters(WORD, 20), "@db.shop.internal:5432/orders"),
    "MongoDB URL": lambda: around("mongodb+srv://app:", letters(WORD, 20), "@cluster0.corp.internal/app"),
    "Redis URL": lambda: around("redis://default:", letters(WORD, 24), "@cache.corp.internal:6379/0"),
    "ADO.NET password": lambda: around("Server=tcp:sql.corp.internal,1433;Database=app;User ID=app;Password=", luhn_free(WORD, 18), ";Encrypt=True"),
    "HTTP bearer token": lambda: around("GET / HTTP/1.1\r\nHost: api.corp.internal\r\nAuthorization: Bearer ", letters(WORD, 40), "\r\nAccept: */*\r\n"),
    "Session cookie": lambda: around("GET / HTTP/1.1\r\nHost: shop.corp.internal\r\nCookie: theme=dark; PHPSESSID=", letters(LOWER + DIGITS, 26), "\r\nAccept: */*\r\n"),
}


def escaped(text):
    """A string of JSON, by an encoder that is careful with slashes, as PHP's is, and with signs of HTML, as Go's and .NET's are."""
    careful = {"/": "\\/", "=": "\\u003d", "+": "\\u002B", "&": "\\u0026", "<": "\\u003c", ">": "\\u003e"}
    return "".join(careful.get(c, c) for c in json.dumps({"value": text}))


FORMS = {
    "C string": lambda text: text.encode() + b"\0",
    "UTF-16": lambda text: text.encode("utf-16-le") + b"\0\0",
    "base64": lambda text: base64.b64encode(text.encode()) + b"\0",
    "hex": lambda text: text.encode().hex().encode() + b"\0",
    "percent": lambda text: b"q=" + urllib.parse.quote(text, safe="").encode() + b"&n=1\0",
    "JSON": lambda text: escaped(text).encode() + b"\0",
}

def kingfisher_finds(program, core):
    command = [program, "scan", core, "--max-file-size", "0", "--no-validate", "--format", "json", "--no-update-check", "--no-dedup"]
    started = time.monotonic()
    result = subprocess.run(command, capture_output=True)
    text = result.stdout.decode(errors="replace")
    return set(re.findall(r'"snippet"\s*:\s*"((?:[^"\\]|\\.)*)"', text)), time.monotonic() - started


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", default="target/release/dumpscrub")
    arguments.add_argument("--kingfisher")
    arguments.add_argument("--redact", action="store_true", help="redact the core too, and see that no secret is left")
    given = arguments.parse_args()
    planted = {}
    blob = b"\0" * 4096
    for kind, make in KINDS.items():
        for form, write in FORMS.items():
            text, secret = make()
            planted[kind, form] = (text, secret, write(text))
            blob += b"\xff\x01\0" + write(text) + os.urandom(32).replace(b"%", b"\0") + b"\0" * 13
    with tempfile.TemporaryDirectory() as folder:
        core = str(pathlib.Path(folder) / "core")
        dump(blob, core)
        started = time.monotonic()
        found = found_by(report_of(given.program, core))
        seconds = time.monotonic() - started
        is_found = lambda secret: any(secret in other or (len(other) > 8 and other in secret) for other in found)
        theirs, their_seconds = kingfisher_finds(given.kingfisher, core) if given.kingfisher else (set(), 0)
        missed = 0
        print(f"{'kind':26} " + " ".join(f"{form:9}" for form in FORMS))
        for kind in KINDS:
            row = []
            for form in FORMS:
                secret = planted[kind, form][1]
                ours = is_found(secret)
                missed += not ours
                also = any(secret in snippet or (len(snippet) > 8 and snippet in secret) for snippet in theirs)
                row.append(("found" if ours else "MISSED") + (" k" if also else ""))
            print(f"{kind:26} " + " ".join(f"{cell:9}" for cell in row))
        total = len(planted)
        print(f"{total - missed} of {total} found, in {seconds:.1f} s ({os.path.getsize(core) / 1e6:.0f} MB)")
        if given.kingfisher:
            hits = sum(any(s in t or (len(t) > 8 and t in s) for t in theirs) for _, s, _ in planted.values())
            print(f"Kingfisher (marked k): {hits} of {total}, in {their_seconds:.1f} s")
        left = redacted(given.program, core, planted) if given.redact else 0
    return 1 if missed or left else 0


def redacted(program, core, planted):
    """How many secrets are left after redaction, in the form that they were planted in; what stands around them must be."""
    out = core + ".redacted"
    result = subprocess.run([program, "redact", "-q", "--no-progress", core, "-o", out], capture_output=True)
    if result.returncode:
        print(f"redact failed: {result.stderr.decode()}")
        return 1
    data = pathlib.Path(out).read_bytes()
    left = [key for key, (_, secret, _) in planted.items() if FORMS[key[1]](secret).strip(b"\0") in data]
    head = lambda text, secret: text[: text.index(secret)][-12:]
    gone = [kind for (kind, form), (text, secret, _) in planted.items() if form == "C string" and head(text, secret).encode() not in data]
    print(f"after redaction {len(left)} secrets are left; the syntax right before them is gone for {len(gone)}: {left} {gone}")
    return len(left) + len(gone)


if __name__ == "__main__":
    sys.exit(main())
