// Keeps secrets of files as properties of objects and elsewhere, as servers keep their configuration, and waits.
"use strict";
const fs = require("fs");

function take(name) {
  const contents = fs.readFileSync(name, "latin1");
  fs.unlinkSync(name);
  return contents;
}

class Connection {
  constructor(password) {
    this.host = "db.internal";
    this.user = "svc";
    this.password = password;
  }
}

class Private {
  #passphrase;
  constructor(passphrase) {
    this.#passphrase = passphrase;
  }
  get length() {
    return this.#passphrase.length;
  }
}

const kept = [{ host: "h", port: 5432, password: take("first") }, new Connection(take("second"))];
kept.push({ primary: { user: "u", db_password: take("third") } }, new Private(take("fourth")));
// More than an object has room for.
const wide = new Connection("");
for (let i = 0; i < 12; i++) wide["f" + i] = i;
wide.client_secret = take("fifth");
// As a dictionary.
const many = {};
for (let i = 0; i < 2000; i++) many["k" + i] = i;
many.auth_token = take("sixth");
for (let i = 0; i < 1500; i++) delete many["k" + i];
const map = new Map([["host", "h"], ["smtp_password", take("seventh")]]);
// A part of another string.
kept.push(wide, many, map, { api_key: ("  " + take("eighth") + "\n").trim() });

console.log("READY");
setInterval(() => kept.length, 1e6);
