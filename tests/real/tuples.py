"""Keeps secrets of files in named tuples, as programs and libraries keep settings and addresses of databases, and waits."""

import collections
import os
import sys
import typing


def take(name):
    with open(name, encoding="ascii") as file:
        contents = file.read()
    os.unlink(name)
    return contents


Account = collections.namedtuple("Account", "host user password")


class Service(typing.NamedTuple):
    url: str
    api_key: str
    port: int = 443


class Session(collections.namedtuple("Bare", "auth_token age")):
    __slots__ = ()


class Looked(Session):
    """Has room for more attributes."""


Large = collections.namedtuple("Large", [f"f{i}" for i in range(40)] + ["db_password"])

kept = [Account("h", "u", take("first")), Service("https://h", take("second")), Session(take("third"), 3)]
kept += [Looked(take("fourth").encode(), 4), Large(*range(40), take("fifth"))]

print("READY", flush=True)
sys.stdin.readline()
