"""Lets one client of a database log in, and leaves it connected: databases.py postgresql|mysql PASSWORD IN

Tells the port on which it listens, and makes the file IN when the client is in. As much of the protocols as a login takes: SCRAM-SHA-256 of
PostgreSQL (RFC 5802), and MySQL's native password, which is taken unseen."""

import base64
import hashlib
import hmac
import os
import pathlib
import socket
import struct
import sys


def exactly(client, count):
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def postgresql(client, password):
    def send(kind, data):
        client.sendall(kind + struct.pack(">I", len(data) + 4) + data)

    def message():
        kind, length = struct.unpack(">cI", exactly(client, 5))
        return kind, exactly(client, length - 4)

    (length,) = struct.unpack(">I", exactly(client, 4))
    exactly(client, length - 4)
    send(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0")
    mechanism, first = message()[1].split(b"\0", 1)
    assert mechanism == b"SCRAM-SHA-256"
    bare = first[4:].removeprefix(b"n,,")
    nonce = bare.split(b"r=", 1)[1]
    salt, rounds = os.urandom(16), 4096
    challenge = b"r=%s%s,s=%s,i=%d" % (nonce, base64.b64encode(os.urandom(18)), base64.b64encode(salt), rounds)
    send(b"R", struct.pack(">I", 11) + challenge)
    final, proof = message()[1].rsplit(b",p=", 1)
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, rounds)
    said = b",".join([bare, challenge, final])
    mac = lambda key, text: hmac.digest(key, text, "sha256")
    key = mac(salted, b"Client Key")
    signature = mac(hashlib.sha256(key).digest(), said)
    assert bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature)) == key, "the client has another password"
    send(b"R", struct.pack(">I", 12) + b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), said)))
    send(b"R", struct.pack(">I", 0))
    for name, value in [(b"server_version", b"15.0"), (b"client_encoding", b"UTF8")]:
        send(b"S", name + b"\0" + value + b"\0")
    send(b"Z", b"I")


def mysql(client, _password):
    def send(number, data):
        client.sendall(struct.pack("<I", len(data))[:3] + bytes([number]) + data)

    def packet():
        head = exactly(client, 4)
        return head[3], exactly(client, int.from_bytes(head[:3], "little"))

    salt = bytes(33 + byte % 90 for byte in os.urandom(20))
    # Protocol 4.1, secure connection, names of plugins.
    greeting = b"\x0a8.0.30\0" + struct.pack("<I", 7) + salt[:8] + b"\0" + struct.pack("<HBHH", 0x8201, 45, 2, 0x0008)
    send(0, greeting + b"\x15" + bytes(10) + salt[8:] + b"\0mysql_native_password\0")
    number, _ = packet()
    send(number + 1, b"\0\0\0\2\0\0\0")


def main():
    kind, password, done = sys.argv[1:]
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    client, _ = server.accept()
    {"postgresql": postgresql, "mysql": mysql}[kind](client, password.encode())
    pathlib.Path(done).touch()
    # Whatever the client asks, nothing is to come of it.
    while client.recv(4096):
        pass


main()
