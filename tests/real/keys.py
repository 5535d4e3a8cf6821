"""Uses the keys of files with pyca/cryptography, and waits."""

import os
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_der_private_key


def take(name):
    with open(name, "rb") as file:
        contents = file.read()
    os.unlink(name)
    return contents


keys = {name: load_der_private_key(take(name), None) for name in ("rsa", "ed25519", "x25519")}
keys["rsa"].sign(b"message", padding.PKCS1v15(), hashes.SHA256())
numbers = keys["rsa"].private_numbers()
keys["ed25519"].sign(b"message")
keys["x25519"].exchange(keys["x25519"].public_key())
ciphers = [Cipher(algorithms.AES(take(name)), modes.GCM(bytes(12))).encryptor() for name in ("aes128", "aes256")]
sealed = [cipher.update(b"message") for cipher in ciphers]
print("READY", flush=True)
sys.stdin.readline()
