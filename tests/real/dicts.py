"""Keeps secrets of files as values of dicts, as programs keep their configuration, and waits."""

import os
import sys


def take(name):
    with open(name, encoding="ascii") as file:
        contents = file.read()
    os.unlink(name)
    return contents


settings = {"host": "db.internal", "DB_PASSWORD": take("first"), "port": 5432}
mixed = {"user": "svc", "password": take("second"), 7: "a table for keys of any kind"}
nested = {"default": {"ENGINE": "sqlite3", "PASSWORD": take("third")}}
large = {"option_%d" % i: i for i in range(1000)}
large["SMTP_PASSWORD"] = take("fourth")
octets = {"api_key": take("fifth").encode()}
# What stands beside a name in a tuple is no value of it.
columns = "DB_PASSWORD", "hunter2-none", "password", "hunter2-none"
print("READY", flush=True)
sys.stdin.readline()
