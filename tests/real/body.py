"""Keeps the answer of a server that hands out tokens, compressed as it came, and nothing else of it."""

import gzip
import json
import os
import sys

with open("token") as file:
    token = file.read()
os.unlink("token")
items = [{"id": i, "name": "item %d" % (i * 7919 % 1000)} for i in range(300)]
answer = {"items": items, "access_token": token, "more": items}
body = gzip.compress(json.dumps(answer).encode())
with open("body", "wb") as file:
    file.write(body)
del answer, token
print("READY", flush=True)
sys.stdin.readline()
