# Both ends of TLS connections that stay open: one of TLS 1.2, two of 1.3. Their secrets are written to keys.log.
import ssl
import sys


def context(side, version):
    made = ssl.SSLContext(side)
    made.minimum_version = made.maximum_version = version
    return made


def connect(version):
    server, client = context(ssl.PROTOCOL_TLS_SERVER, version), context(ssl.PROTOCOL_TLS_CLIENT, version)
    server.load_cert_chain("cert.pem", "key.pem")
    server.keylog_filename = "keys.log"
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
    ends[0].write(b"a question")
    ends[1].read(100)
    ends[1].write(b"an answer")
    ends[0].read(100)
    return ends


kept = [connect(version) for version in [ssl.TLSVersion.TLSv1_2] + 2 * [ssl.TLSVersion.TLSv1_3]]
print("READY", flush=True)
sys.stdin.read()
