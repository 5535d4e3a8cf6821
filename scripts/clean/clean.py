"""A process of Python without secrets: numpy, modules that services load, a request to itself, data in memory."""

import hashlib
import http.server
import json
import sqlite3
import ssl
import threading
import time
import urllib.request
import xml.dom.minidom

import numpy


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(ROWS[:5000]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ROWS = [{"id": n, "name": f"row {n}", "digest": hashlib.sha256(str(n).encode()).hexdigest()} for n in range(200_000)]
MATRIX = numpy.random.default_rng(7).random((3000, 3000))
PRODUCT = MATRIX @ MATRIX.T
TABLE = sqlite3.connect(":memory:")
TABLE.execute("create table rows (id integer, name text, digest text)")
TABLE.executemany("insert into rows values (:id, :name, :digest)", ROWS)
DOCUMENT = xml.dom.minidom.parseString("<rows>" + "".join(f"<row n='{n}'/>" for n in range(20_000)) + "</rows>")
CONTEXT = ssl.create_default_context()
SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
KEPT = json.load(urllib.request.urlopen(f"http://127.0.0.1:{SERVER.server_port}/"))
print("ready", flush=True)
time.sleep(1e6)
