//! Secrets that processes keep far from their names, or in structures of their own: dicts of CPython, connections of GnuTLS and NSS.
//! Each is fresh, and every copy of it that a plain search of bytes knows of is a site.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::real::{Scanned, Victim, command, first_missing, missing};
use dumpscrub::finding::{Evidence, Severity};

use crate::NOT_ALLOWED;

/// A fresh text that a rule takes for a secret.
pub fn text(folder: &Path, name: &str) -> String {
    let letter = || char::from(rand::random_range(b'a'..=b'z'));
    let text: String = (0..16).map(|_| letter()).chain(['7', 'K', '-', '2']).collect();
    fs::write(folder.join(name), &text).unwrap();
    text
}

#[test]
fn python_keeps_values_of_dicts_far_from_their_names() {
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| first_missing(&[&[python, "-V"]]).is_none());
    let Some(python) = python else { return missing("Python is not there") };
    if let Some(tool) = first_missing(&[&["gdb", "--version"]]) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let values = ["first", "second", "third", "fourth", "fifth"].map(|name| text(folder, name));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/dicts.py");
    let victim = Victim::start(command(python, folder).arg(source));
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    let scanned = Scanned::of(&core);
    for value in &values {
        assert!(scanned.copies(value.as_bytes()) > 0);
    }
    // Nothing else that counts is found: names and strings beside them in tuples of constants are there by the hundred.
    let counts = scanned.outcome.findings.iter().filter(|finding| finding.severity > Severity::Info);
    assert_eq!(counts.count(), values.len());
}

/// A client of a server on this port that has said something, until it is dropped.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Client {
    fn start(folder: &Path, port: u16, protocol: &[&str]) -> Self {
        let mut openssl = command("openssl", folder);
        let target = format!("127.0.0.1:{port}");
        openssl.args(["s_client", "-quiet", "-ign_eof", "-keylogfile", "log", "-connect", &target]).args(protocol);
        let mut child = openssl.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
        Self(child)
    }
}

/// The secrets of the client's log, once it has those of a connection.
fn logged(folder: &Path) -> Vec<Vec<u8>> {
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
    let has_come = (0..100).any(|_| {
        sleep(Duration::from_millis(100));
        ["CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_0"].into_iter().any(|label| log().contains(label))
    });
    assert!(has_come, "no connection was made");
    // So that the server has it, too.
    sleep(Duration::from_millis(500));
    let log = log();
    log.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').nth(2)).map(bytes).collect()
}

const TLS13: [&str; 2] = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const TLS12: [&str; 3] = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"];

/// Connects to a server with each suite, and looks for what the client logged: so many secrets are there of a connection of TLS 1.3.
fn connections(server: &str, make: &str, least: usize) {
    let suites = TLS13.map(|suite| ("-tls1_3", "-ciphersuites", suite, least));
    let suites = suites.into_iter().chain(TLS12.map(|suite| ("-tls1_2", "-cipher", suite, 1)));
    for (version, option, suite, least) in suites {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let request = "req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost";
        assert!(command("openssl", folder).args(request.split(' ')).status().unwrap().success());
        assert!(command("sh", folder).args(["-c", make]).status().unwrap().success(), "{make}");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let line = format!("(sleep 1; echo READY) & exec {server} -p {port} >/dev/null 2>&1");
        let victim = Victim::start(command("sh", folder).args(["-c", &line]));
        let client = Client::start(folder, port, &[version, option, suite]);
        let secrets = logged(folder);
        let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
        drop(client);
        let scanned = Scanned::of(&core);
        let there = secrets.iter().filter(|secret| scanned.copies(secret) > 0).count();
        assert!(there >= least, "{there} of {} secrets of {suite} are there", secrets.len());
    }
}

#[test]
fn gnutls_keeps_the_secrets_of_connections() {
    let tools: [&[&str]; 3] = [&["gdb", "--version"], &["openssl", "version"], &["gnutls-serv", "--version"]];
    if let Some(tool) = first_missing(&tools) {
        return missing(&format!("{tool} is not there"));
    }
    connections("gnutls-serv --echo --x509keyfile key --x509certfile cert", "true", 5);
}

#[test]
fn nss_keeps_the_secrets_of_connections() {
    let tools: [&[&str]; 3] = [&["gdb", "--version"], &["openssl", "version"], &["sh", "-c", "command -v selfserv"]];
    if let Some(tool) = first_missing(&tools) {
        return missing(&format!("{tool} is not there"));
    }
    let make = "mkdir db && certutil -N -d sql:db --empty-password && \
                openssl pkcs12 -export -in cert -inkey key -name server -out store -passout pass:x1 && \
                pk12util -i store -d sql:db -W x1 -K ''";
    connections("selfserv -d sql:db -n server -V tls1.2:tls1.3", make, 3);
}

#[test]
fn openssl_connections_that_resume_others_are_proven() {
    let tools: [&[&str]; 2] = [&["gdb", "--version"], &["openssl", "version"]];
    if let Some(tool) = first_missing(&tools) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let request = "req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost";
    assert!(command("openssl", folder).args(request.split(' ')).status().unwrap().success());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("openssl s_server -quiet -tls1_3 -key key -cert cert -accept {port}");
    let line = format!("(sleep 1; echo READY) & exec {server} >/dev/null 2>&1");
    let victim = Victim::start(command("sh", folder).args(["-c", &line]));
    let first = format!("sleep 1 | openssl s_client -tls1_3 -connect 127.0.0.1:{port} -sess_out session");
    assert!(command("sh", folder).args(["-c", &first]).status().unwrap().success());
    let client = Client::start(folder, port, &["-tls1_3", "-sess_in", "session"]);
    let secrets = logged(folder);
    let Some(core) = victim.dump(folder) else { return missing(NOT_ALLOWED) };
    drop(client);
    let scanned = Scanned::of(&core);
    let there = secrets.iter().filter(|secret| scanned.copies(secret) > 0).count();
    assert!(there >= 3, "{there} of {} secrets are there", secrets.len());
    let kinds =
        |evidence| scanned.outcome.findings.iter().filter(move |f| f.evidence == evidence).map(|f| &f.public.kind);
    let proven =
        ["client traffic", "server traffic", "handshake", "exporter"].map(|name| format!("TLS 1.3 {name} secret"));
    assert!(proven.iter().all(|kind| kinds(Evidence::Proven).any(|proven| proven == kind)));
    let others: Vec<&String> = kinds(Evidence::Matched).filter(|kind| kind.starts_with("TLS 1.3")).collect();
    assert!(others.is_empty(), "{others:?}");
}
