//! A real nginx that serves TLS with keys made for the test: a dump of its worker, which holds no PEM, gives both keys, and
//! every copy of their numbers that a plain search of bytes knows of is a site. What came in over HTTP/2 is found in the code
//! of its header fields too.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dumpscrub::finding::Evidence;
use dumpscrub::limits::Limits;
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};
use dumpscrub::{detect, dump, image};

/// Kinds of keys: how OpenSSL makes them, what it calls their private numbers, and what they are told as.
const KINDS: [(&str, &[&str], &[&str], &str); 2] = [
    (
        "rsa",
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        &["privateExponent:", "prime1:", "prime2:", "exponent1:", "exponent2:", "coefficient:"],
        "RSA-2048",
    ),
    ("ec", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], &["priv:"], "P-256"),
];

/// Without the tool a test has nothing to look at; where all tools must be there that is a failure.
fn missing(what: &str) {
    assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{what}");
}

fn command(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn is_there(tool: &str, argument: &str) -> bool {
    command(tool, Path::new("/")).arg(argument).status().is_ok()
}

/// Makes a key and a certificate, and tells the private numbers as OpenSSL prints them, without zeros before them.
fn make_key(folder: &Path, kind: &str, how: &[&str], names: &[&str]) -> Vec<Vec<u8>> {
    let openssl = |arguments: &[&str]| {
        let output = command("openssl", folder).args(arguments).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (key, certificate) = (format!("{kind}.key"), format!("{kind}.pem"));
    openssl(&[&["genpkey", "-out", &key], how].concat());
    openssl(&["req", "-x509", "-new", "-key", &key, "-out", &certificate, "-subj", "/CN=localhost", "-days", "2"]);
    let text = openssl(&["pkey", "-in", &key, "-text", "-noout"]);
    let number = |name: &&str| {
        let lines = text.lines().skip_while(|line| line != name).skip(1).take_while(|line| line.starts_with(' '));
        let digits: String = lines.flat_map(|line| line.chars()).filter(char::is_ascii_hexdigit).collect();
        let digits = digits.trim_start_matches("00");
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    let numbers: Vec<Vec<u8>> = names.iter().map(number).collect();
    assert!(numbers.iter().all(|number| number.len() > 24), "OpenSSL printed other names");
    numbers
}

/// Ends nginx, also where the test fails.
struct Nginx {
    master: Child,
    /// The port of each kind of key.
    ports: [u16; 2],
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers when it is asked to, and leaves them alone when it is killed.
        let _ = Command::new("kill").arg(self.master.id().to_string()).status();
        let _ = self.master.wait();
    }
}

impl Nginx {
    /// One that has spoken to a client with each key.
    fn start(folder: &Path) -> Self {
        let ports = KINDS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).map(|l| l.local_addr().unwrap().port());
        let server = |(kind, port): (&str, u16)| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {kind}.pem; ssl_certificate_key {kind}.key;\n\
                 location / {{ return 204; }} }}\n"
            )
        };
        let servers: String = KINDS.iter().zip(ports).map(|((kind, ..), port)| server((kind, port))).collect();
        let paths =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};\n"));
        let conf = format!(
            "daemon off; worker_processes 1; pid pid; error_log stderr;\nevents {{ }}\n\
             http {{ access_log off;\n{}{servers}}}\n",
            paths.concat()
        );
        fs::write(folder.join("conf"), conf).unwrap();
        let master = command("nginx", folder).arg("-p").arg(folder).args(["-c", "conf"]).spawn().unwrap();
        let nginx = Self { master, ports };
        for port in ports {
            let speak = || {
                let to = format!("127.0.0.1:{port}");
                command("openssl", folder).args(["s_client", "-connect", &to]).status().unwrap().success()
            };
            let started = Instant::now();
            while !speak() {
                assert!(started.elapsed() < Duration::from_secs(30), "nginx does not answer");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        nginx
    }

    /// A core of its worker; `None` where nobody may look at other processes.
    fn dump(&self, folder: &Path) -> Option<PathBuf> {
        let master = self.master.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).ok()?;
        let worker = children.split_whitespace().next()?;
        let made = command("gcore", folder).args(["-o", "core", worker]).status().ok()?;
        let core = folder.join(format!("core.{worker}"));
        (made.success() && core.exists()).then_some(core)
    }
}

fn scan(core: &Path) -> Outcome {
    let image = image::open(core).unwrap();
    let map = dump::map(&image, &Limits::default()).unwrap();
    let engine = Engine::new(detect::detectors().unwrap()).unwrap();
    scan::scan(&image, &map, &engine, &Options::default(), &Quiet).unwrap()
}

/// Which bytes of the core are part of a site of a finding that counts.
fn covered(outcome: &Outcome, len: usize) -> Vec<bool> {
    let mut covered = vec![false; len];
    for at in 0..outcome.findings.len() {
        for site in outcome.sites.of(at).map(Result::unwrap) {
            let spans = site.spans.iter().map(|span| span.from() as usize..(span.from() + span.len) as usize);
            spans.for_each(|span| covered[span].fill(true));
        }
    }
    covered
}

/// Hexadecimal digits that nobody else has.
fn fresh(folder: &Path, bytes: &str) -> String {
    let output = command("openssl", folder).args(["rand", "-hex", bytes]).stdout(Stdio::piped()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The whole bytes of the code of HTTP/2's header fields that are a text's own, in each of the eight phases.
fn in_huffman_code(text: &str) -> Vec<Vec<u8>> {
    // Codes of letters that come to so many bits modulo eight: `a` has 5 bits, `B` 7, a blank 6.
    let before = [("", 0), ("aaaaa", 25), ("aa", 10), ("a ", 11), ("  ", 12), ("a", 5), (" ", 6), ("B", 7)];
    let code = |text: &str| {
        let mut code = Vec::new();
        httlib_huffman::encode(text.as_bytes(), &mut code).unwrap();
        code
    };
    let own = |(before, bits): (&str, usize)| {
        let whole = code(&[before, text].concat());
        whole[bits.div_ceil(8)..whole.len() - 1].to_vec()
    };
    before.into_iter().map(own).collect()
}

#[test]
fn a_worker_without_pem_gives_both_keys_and_every_copy_of_their_numbers() {
    let tools = [("nginx", "-v"), ("openssl", "version"), ("gcore", "-h")];
    if let Some((tool, _)) = tools.iter().find(|(tool, argument)| !is_there(tool, argument)) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    let numbers = KINDS.map(|(kind, how, names, _)| make_key(folder.path(), kind, how, names)).concat();
    let nginx = Nginx::start(folder.path());
    let Some(core) = nginx.dump(folder.path()) else {
        return missing("gcore was not allowed to look at a process");
    };
    let bytes = fs::read(&core).unwrap();
    assert!(memchr::memmem::find(&bytes, b"PRIVATE KEY-----").is_none(), "no PEM is left in a worker");
    let outcome = scan(&core);
    for (.., kind) in KINDS {
        let proven = |f: &dumpscrub::finding::Finding| f.public.kind == kind && f.evidence == Evidence::Proven;
        assert_eq!(outcome.findings.iter().filter(|finding| proven(finding)).count(), 1, "{kind}");
    }
    let covered = covered(&outcome, bytes.len());
    let mut copies = 0;
    for number in numbers {
        let little: Vec<u8> = number.iter().rev().copied().collect();
        for form in [number, little] {
            for at in memchr::memmem::find_iter(&bytes, &form) {
                assert!(covered[at..at + form.len()].iter().all(|covered| *covered), "{at:#x}");
                copies += 1;
            }
        }
    }
    assert!(copies >= 7, "{copies} copies of seven numbers");
}

#[test]
fn what_came_in_over_http_2_is_found_in_the_code_of_its_header_fields() {
    let tools = [("nginx", "-v"), ("openssl", "version"), ("gcore", "-h"), ("curl", "-V")];
    if let Some((tool, _)) = tools.iter().find(|(tool, argument)| !is_there(tool, argument)) {
        return missing(&format!("{tool} is not there"));
    }
    let folder = tempfile::tempdir().unwrap();
    KINDS.iter().for_each(|(kind, how, names, _)| drop(make_key(folder.path(), kind, how, names)));
    let nginx = Nginx::start(folder.path());
    let (token, cookie) = (fresh(folder.path(), "20"), fresh(folder.path(), "16"));
    let fields =
        format!("header = \"Authorization: Bearer {token}\"\nheader = \"Cookie: lang=de; sessionid={cookie}\"\n");
    fs::write(folder.path().join("fields"), fields).unwrap();
    let url = format!("https://localhost:{}/", nginx.ports[0]);
    let mut ask = command("curl", folder.path());
    ask.args(["-sk", "--http2", "-K", "fields", "-w", "%{http_version} %{http_code}", &url]);
    let output = ask.stdout(Stdio::piped()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 204");
    let Some(core) = nginx.dump(folder.path()) else {
        return missing("gcore was not allowed to look at a process");
    };
    let bytes = fs::read(&core).unwrap();
    let covered = covered(&scan(&core), bytes.len());
    for secret in [token, cookie] {
        let mut copies = 0;
        for code in in_huffman_code(&secret) {
            for at in memchr::memmem::find_iter(&bytes, &code) {
                assert!(covered[at..at + code.len()].iter().all(|covered| *covered), "{at:#x}");
                copies += 1;
            }
        }
        assert!(copies >= 1, "nginx kept no copy as it came in");
    }
}
