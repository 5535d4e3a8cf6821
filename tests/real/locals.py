"""Keeps secrets of files in local variables of functions that run, wait and are within others, and waits."""

import os
import sys


def take(name):
    with open(name, encoding="ascii") as file:
        contents = file.read()
    os.unlink(name)
    return contents


def waits(api_token):
    yield 1
    yield len(api_token)


def login(user, password, *, client_secret):
    passwd = take("third")
    print("READY", flush=True)
    sys.stdin.readline()
    return user, password, client_secret, passwd


def run():
    db_password = take("fifth")

    def within():
        return len(db_password)

    generator = waits(take("fourth"))
    next(generator)
    login("u", take("first"), client_secret=take("second").encode())
    return generator, within


run()
