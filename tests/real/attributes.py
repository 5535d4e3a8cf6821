"""Keeps secrets of files as attributes of instances, as clients of databases and of clouds do, and waits."""

import abc
import os
import sys


def take(name):
    with open(name, encoding="ascii") as file:
        contents = file.read()
    os.unlink(name)
    return contents


class Connection:
    def __init__(self, password):
        self.host = "db.internal"
        self.user = "svc"
        self.password = password


class Looked(Connection):
    """Has been asked for its dict."""

    def __init__(self, password):
        self.port = 5432
        self.db_password = password


class Slots:
    __slots__ = ("name", "api_key", "weight")

    def __init__(self, key):
        self.name = "n"
        self.api_key = key


class Abstract(abc.ABC):
    def __init__(self, token):
        self.auth_token = token


class Octets:
    def __init__(self, secret):
        self.client_secret = secret


kept = [Connection(take("first")), Looked(take("second")), Slots(take("third")), Abstract(take("fourth"))]
kept.append(Octets(take("fifth").encode()))
vars(kept[1])


def annotated(user: "str", password: "bool", api_key: "Optional[str]" = None):
    """What its annotations say of its secrets is none."""


class Names:
    SECRET_KEY = "AWS_SECRET_ACCESS_KEY"
    hide_password = "bytes | str"


print("READY", flush=True)
sys.stdin.readline()
