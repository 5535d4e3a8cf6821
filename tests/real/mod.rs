//! Processes that really run, with keys made for the test: started, dumped with gcore, scanned, and held against a plain search.

pub mod aes;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dumpscrub::finding::Evidence;
use dumpscrub::limits::Limits;
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};
use dumpscrub::{detect, dump, image};

/// Without the tool a test has nothing to look at; where all tools must be there that is a failure.
pub fn missing(what: &str) {
    assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{what}");
}

pub fn command(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The first of these commands that does not end well.
pub fn first_missing<'a>(tools: &[&'a [&'a str]]) -> Option<&'a str> {
    let works = |line: &[&str]| {
        let (name, arguments) = line.split_first().unwrap();
        command(name, Path::new("/")).args(arguments).status().is_ok_and(|status| status.success())
    };
    tools.iter().find(|line| !works(line)).map(|line| line[0])
}

/// Makes a key in PKCS#8, and tells the numbers that OpenSSL prints under these names, without zeros before them.
pub fn make_key(folder: &Path, file: &str, how: &[&str], names: &[&str]) -> Vec<Vec<u8>> {
    let openssl = |arguments: &[&str]| {
        let output = command("openssl", folder).args(arguments).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // As DER it would write RSA keys in PKCS#1.
    let pem = format!("{file}.pem");
    openssl(&[&["genpkey", "-out", &pem], how].concat());
    openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", &pem, "-outform", "DER", "-out", file]);
    fs::remove_file(folder.join(&pem)).unwrap();
    let text = openssl(&["pkey", "-inform", "DER", "-in", file, "-text", "-noout"]);
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

/// The names under which OpenSSL prints the private numbers of an RSA key.
pub const RSA: [&str; 6] = ["privateExponent:", "prime1:", "prime2:", "exponent1:", "exponent2:", "coefficient:"];

/// A process that has said READY. It is ended, also where the test fails.
pub struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Victim {
    pub fn start(command: &mut Command) -> Self {
        // Its input stays open as long as it is to live.
        let mut victim = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let mut said = String::new();
        BufReader::new(victim.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "READY", "the program ended before it was ready");
        victim
    }

    /// One that says nothing, and is ready when this file is there.
    pub fn with_file(command: &mut Command, file: &Path) -> Self {
        let victim = Self(command.spawn().unwrap());
        let begun = Instant::now();
        while !file.exists() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the program was not ready in time");
            thread::sleep(Duration::from_millis(20));
        }
        victim
    }

    /// A core of it; `None` where nobody may look at other processes.
    pub fn dump(&self, folder: &Path) -> Option<PathBuf> {
        let id = self.0.id().to_string();
        let made = command("gcore", folder).args(["-o", "core", &id]).status().ok()?;
        let core = folder.join(format!("core.{id}"));
        (made.success() && core.exists()).then_some(core)
    }
}

/// A core, and what a scan of it tells.
pub struct Scanned {
    pub bytes: Vec<u8>,
    pub outcome: Outcome,
    /// Which bytes are part of a site.
    covered: Vec<bool>,
}

impl Scanned {
    pub fn of(core: &Path) -> Self {
        let image = image::open(core).unwrap();
        let map = dump::map(&image, &Limits::default()).unwrap();
        let engine = Engine::new(detect::detectors().unwrap()).unwrap();
        let outcome = scan::scan(&image, &map, &engine, &Options::default(), &Quiet).unwrap();
        let bytes = fs::read(core).unwrap();
        let mut covered = vec![false; bytes.len()];
        let sites = (0..outcome.findings.len()).flat_map(|at| outcome.sites.of(at).map(Result::unwrap));
        let spans =
            sites.flat_map(|site| site.spans.iter().map(|s| s.from() as usize..s.end() as usize).collect::<Vec<_>>());
        spans.for_each(|span| covered[span].fill(true));
        Self { bytes, outcome, covered }
    }

    /// How many keys of a kind are proven and count.
    pub fn proven(&self, kind: &str) -> usize {
        let proven = |f: &&dumpscrub::finding::Finding| {
            f.public.kind == kind && f.evidence == Evidence::Proven && f.severity > dumpscrub::finding::Severity::Info
        };
        self.outcome.findings.iter().filter(proven).count()
    }

    /// How often these bytes are there; each time all of them must be part of a site.
    pub fn copies(&self, needle: &[u8]) -> usize {
        let at = memchr::memmem::find_iter(&self.bytes, needle);
        let all = |at: usize| self.covered[at..at + needle.len()].iter().all(|covered| *covered);
        at.inspect(|at| assert!(all(*at), "{} bytes at {at:#x} are no site", needle.len())).count()
    }

    /// The core with every byte of a site replaced.
    pub fn without_sites(&self) -> Vec<u8> {
        self.bytes.iter().zip(&self.covered).map(|(byte, covered)| if *covered { 0x55 } else { *byte }).collect()
    }

    /// How often a number is there in any form in which programs keep numbers.
    pub fn copies_of_number(&self, number: &[u8]) -> usize {
        let reversed = || number.iter().rev().copied().collect::<Vec<u8>>();
        let hex: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![number.to_vec(), reversed(), words32(number), digits30(number), hex.into_bytes()];
        forms.dedup();
        forms.iter().map(|form| self.copies(form)).sum()
    }
}

/// Java's `int[]`, from the highest.
pub fn words32(number: &[u8]) -> Vec<u8> {
    let mut words = [vec![0; number.len().next_multiple_of(4) - number.len()], number.to_vec()].concat();
    words.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    words
}

/// CPython's digits, from the lowest.
pub fn digits30(number: &[u8]) -> Vec<u8> {
    let (mut low, mut bits, mut digits) = (0_u64, 0, Vec::new());
    for byte in number.iter().rev() {
        low |= u64::from(*byte) << bits;
        bits += 8;
        if bits >= 30 {
            digits.extend((low as u32 & ((1 << 30) - 1)).to_le_bytes());
            low >>= 30;
            bits -= 30;
        }
    }
    if low > 0 {
        digits.extend((low as u32).to_le_bytes());
    }
    digits
}
