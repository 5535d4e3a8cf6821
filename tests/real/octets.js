// Keeps keys of files, which are no text, as properties of objects, and waits.
"use strict";
const fs = require("fs");

function take(name) {
  const contents = fs.readFileSync(name);
  fs.unlinkSync(name);
  return contents;
}

class Signer {
  #signingKey;
  constructor(key) {
    this.#signingKey = key;
  }
  get length() {
    return this.#signingKey.length;
  }
}

// One has memory of its own, one a part of what all share, one lies among objects.
const kept = [{ host: "h", secret_key: take("first") }, new Signer(Buffer.from(take("second")))];
const small = new Uint8Array(64);
small.set(take("third"));
kept.push(new Map([["host", "h"], ["encryption_key", small]]));

console.log("READY");
setInterval(() => kept.length, 1e6);
