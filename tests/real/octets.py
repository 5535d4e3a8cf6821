"""Keeps keys of files, which are no text, as values of dicts, attributes and variables, as programs keep what they sign with, and waits."""

import os
import sys


def take(name):
    with open(name, "rb", buffering=0) as file:
        contents = file.read()
    os.unlink(name)
    return contents


class Signer:
    def __init__(self, name, key):
        self.name = name
        self.signing_key = key


settings = {"host": "db.internal", "SECRET_KEY": take("first"), "port": 5432}
array = {"api_secret": bytearray(take("second"))}
signer = Signer("svc", take("third"))
# Octets under other names are none of ours.
others = {"cache_key": os.urandom(32), "checksum": os.urandom(20), "SECRET_KEY_FALLBACKS": b"\xff" * 32}
print("READY", flush=True)
sys.stdin.readline()
