"""Keeps secrets of files in a function that another one has returned, and as the second of two in what somebody logs on with, and waits."""

import os
import sys


def take(name):
    with open(name, encoding="ascii") as file:
        contents = file.read()
    os.unlink(name)
    return contents


def client(db_password):
    def connect():
        return len(db_password)

    return connect


class Session:
    def __init__(self, password):
        self.auth = ("svc", password)


functions = [client(take("first"))]
session = Session(take("second"))
options = {"auth": ("svc", take("third")), "timeout": 5}
print("READY", flush=True)
sys.stdin.readline()
