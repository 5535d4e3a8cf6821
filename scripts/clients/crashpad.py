"""Who holds the lock of a report, and what the other side does: crashpad.py crashpad|hook HANDLER PROGRAM, in the folder of crashpad.sh.

crashpad: Crashpad's handler uploads a report, and the server keeps it waiting; the hook must leave the report and say so.
hook:     the hook is stopped while it holds a lock; the handler must upload the other report only, and this one when it is redacted.
Everything goes to a server of this script on the loopback interface."""

import glob
import os
import signal
import socket
import subprocess
import sys
import threading
import time

holder, handler, program = sys.argv[1:]
answer, began, bodies = threading.Event(), threading.Event(), []
server = socket.create_server(("127.0.0.1", 0))


def serve():
    while True:
        threading.Thread(target=receive, args=(server.accept()[0],), daemon=True).start()


def receive(client):
    began.set()
    data = b""
    while not data.endswith(b"\r\n0\r\n\r\n"):
        more = client.recv(1 << 16)
        if not more:
            break
        data += more
    bodies.append(data)
    answer.wait(60)
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nid")
    client.close()


def uploader():
    """Crashpad's handler, with a client that does nothing; it uploads what is pending."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    url = f"--url=http://127.0.0.1:{server.getsockname()[1]}/"
    options = ["--database=database", url, "--no-rate-limit", "--no-upload-gzip", f"--initial-client-fd={its.fileno()}"]
    process = subprocess.Popen([handler, *options], pass_fds=[its.fileno()], stderr=subprocess.DEVNULL)
    its.close()
    return process, ours


def end(running):
    running[1].close()
    running[0].wait(30)


def reports(folder, ending):
    return sorted(glob.glob(f"database/{folder}/*.{ending}"))


def must(holds, text):
    print("holds:" if holds else "DOES NOT HOLD:", text)
    if not holds:
        sys.exit(1)


# Uploads are switched on in the settings: the first bit behind magic and version.
with open("database/settings.dat", "r+b") as settings:
    settings.seek(8)
    settings.write(b"\1")
threading.Thread(target=serve, daemon=True).start()
hook = [program, "hook", "crashpad", "--policy", "policy.toml", "database"]

if holder == "crashpad":
    before = {path: open(path, "rb").read() for path in reports("pending", "dmp")}
    running = uploader()
    must(began.wait(30) and len(reports("pending", "lock")) == 1, "Crashpad uploads, and holds one lock")
    locked = reports("pending", "lock")[0].replace(".lock", ".dmp")
    done = subprocess.run(hook, stderr=subprocess.PIPE, text=True)
    must(done.returncode == 3 and "another process works on this report" in done.stderr, "the hook says so, exit code 3")
    must(open(locked, "rb").read() == before[locked], "the report is as it was")
    answer.set()
    while len(reports("completed", "dmp")) < 2:
        time.sleep(0.1)
    end(running)
    must(subprocess.run(hook, stderr=subprocess.DEVNULL).returncode == 0, "when it is uploaded, the hook redacts it")
else:
    answer.set()
    stopped = subprocess.Popen(hook, stderr=subprocess.DEVNULL)
    while not reports("pending", "lock"):
        time.sleep(0.001)
    os.kill(stopped.pid, signal.SIGSTOP)
    busy = os.path.basename(reports("pending", "lock")[0])[:-5].encode()
    running = uploader()
    while not bodies:
        time.sleep(0.1)
    time.sleep(2)
    end(running)
    must(len(bodies) == 1 and busy not in bodies[0], "Crashpad uploads the other report and passes over this one")
    os.kill(stopped.pid, signal.SIGCONT)
    must(stopped.wait(60) == 0, "the hook redacts what is there")
    bodies.clear()
    running = uploader()
    while not bodies:
        time.sleep(0.1)
    end(running)
    must(len(bodies) == 1 and busy in bodies[0], "now Crashpad uploads it")
    with open("uploaded", "wb") as uploaded:
        uploaded.write(bodies[0])
