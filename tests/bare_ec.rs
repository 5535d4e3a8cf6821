//! Keys of elliptic curves as libraries compute with them: a scalar in an allocation of its own, without any header.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

#[expect(dead_code, reason = "these tests need a part of the builder")]
mod synth;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use dumpscrub::finding::{Evidence, Severity};
use dumpscrub::image::{self, Image};
use dumpscrub::scan::{self, Engine, Options, Outcome, Quiet};
use dumpscrub::{detect, dump};
use synth::{Blob, Cpu, Memory, MinidumpBuilder, System};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(detect::detectors().unwrap()).unwrap());

fn scanned(image: &Image, window: usize) -> Outcome {
    let options = Options { window, ..Options::default() };
    let map = dump::map(image, &options.limits).unwrap();
    scan::scan(image, &map, &ENGINE, &options, &Quiet).unwrap()
}

/// A fresh key of P-256: the scalar as limbs, and its SubjectPublicKeyInfo.
fn p256_key() -> (Vec<u8>, Vec<u8>) {
    let key = ssh_key::PrivateKey::random(
        &mut rand::rng(),
        ssh_key::Algorithm::Ecdsa { curve: ssh_key::EcdsaCurve::NistP256 },
    )
    .unwrap();
    let pair = key.key_data().ecdsa().unwrap();
    let (public, mut scalar) = (pair.public_key_bytes().to_vec(), pair.private_key_bytes().to_vec());
    scalar.reverse();
    let header =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    (scalar, [&header[..], &public].concat())
}

#[test]
fn a_scalar_is_proven_by_the_public_key_of_the_dump_wherever_both_stand() {
    let (scalar, spki) = p256_key();
    let heap = Memory::zeros(0x10_0000, 0x4000).with(0x2001, &spki).plant(0x800, "d", &scalar);
    let other = Memory::noise(0x20_0000, 0x8000, 5);
    for before in [0, 3] {
        let slack_before_memory = Blob::new(vec![0; before]);
        let memory64 = vec![other.clone(), heap.clone()];
        let builder =
            MinidumpBuilder { memory64, slack_before_memory, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) };
        let dump = builder.build();
        for window in [1 << 20, 3000] {
            let outcome = scanned(&Image::from_bytes("scanned", dump.bytes.clone()), window);
            let [finding] = &outcome.findings[..] else { panic!("{:?}", outcome.findings) };
            assert_eq!((finding.evidence, finding.severity), (Evidence::Proven, Severity::Critical));
            assert_eq!(finding.public.kind, "P-256");
            assert!(finding.public.context.is_empty(), "a public key names it");
            let (at, len) = dump.planted("d").pieces[0];
            let mut sites = outcome.sites.of(0).map(Result::unwrap);
            assert!(sites.any(|site| site.spans[0].from() == at as u64 && site.len() == len as u64));
            // Of the noise not everything was tried; that is told, and is no gap.
            let [note] = &outcome.coverage.notes[..] else { panic!("{:?}", outcome.coverage) };
            assert!(note.contains("were tried") && outcome.coverage.gaps.is_empty());
        }
    }
}

#[test]
fn a_scalar_whose_point_only_arithmetic_has_may_be_the_secret_number_of_a_signature() {
    let (scalar, spki) = p256_key();
    let limbs = |coordinate: &[u8]| coordinate.iter().rev().copied().collect::<Vec<u8>>();
    let (x, y) = (limbs(&spki[spki.len() - 64..spki.len() - 32]), limbs(&spki[spki.len() - 32..]));
    let heap = Memory::zeros(0x10_0000, 0x4000).with(0x800, &scalar).with(0x1000, &x).with(0x1100, &y);
    let named = heap.clone().with(0x2001, &spki);
    for (heap, is_told) in [(heap, true), (named, false)] {
        let memory64 = vec![heap];
        let dump = MinidumpBuilder { memory64, ..MinidumpBuilder::new(Cpu::Amd64, System::Windows) }.build();
        let outcome = scanned(&Image::from_bytes("scanned", dump.bytes.clone()), 1 << 20);
        let [finding] = &outcome.findings[..] else { panic!("{:?}", outcome.findings) };
        assert_eq!((finding.evidence, finding.public.kind.as_str()), (Evidence::Proven, "P-256"));
        let told = finding.public.context.iter().any(|context| context.contains("secret number of one signature"));
        assert_eq!(told, is_told, "{:?}", finding.public.context);
    }
}

/// Holds keys of several kinds as objects of OpenSSL, and nothing of how they came there.
const HOLDER: &str = r"
import gc, sys
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key
texts = sys.stdin.read().split('=====')
live = [load_pem_private_key(text.encode(), None) for text in texts if text.strip()]
del texts
gc.collect()
print('ready', flush=True)
import time
time.sleep(600)
";

/// Makes such keys and writes them as PEM.
const MAKER: &str = r"
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, NoEncryption
keys = [ec.generate_private_key(c()) for c in (ec.SECP256R1, ec.SECP384R1, ec.SECP256K1)]
keys += [ed25519.Ed25519PrivateKey.generate(), x25519.X25519PrivateKey.generate()]
print('====='.join(k.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() for k in keys))
";

const KINDS: [&str; 5] = ["P-256", "P-384", "secp256k1", "Ed25519", "X25519"];

/// Without the tool a test has nothing to look at; where all tools must be there that is a failure.
fn missing(what: &str) {
    assert!(std::env::var_os("DUMPSCRUB_REQUIRE_TOOLS").is_none(), "{what}");
}

/// A Python with the package `cryptography`: the one that is named, or the system's.
fn python() -> Command {
    Command::new(std::env::var_os("DUMPSCRUB_PYTHON").unwrap_or_else(|| "python3".into()))
}

/// Ends the process, also where the test fails.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn holder(keys: &[u8]) -> Holder {
    let mut child = python().args(["-c", HOLDER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(keys).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    Holder(child)
}

fn gcore(process: &Holder, folder: &Path) -> Option<Image> {
    let id = process.0.id().to_string();
    let mut made = Command::new("gcore");
    made.arg("-o").arg(folder.join("core")).arg(&id).stdout(Stdio::null()).stderr(Stdio::null());
    made.status().ok().filter(std::process::ExitStatus::success)?;
    image::open(&folder.join(format!("core.{id}"))).ok()
}

#[test]
fn keys_that_a_process_only_computes_with_are_found() {
    let Ok(made) = python().args(["-c", MAKER]).stderr(Stdio::null()).output() else {
        return missing("python3 is not there");
    };
    if !made.status.success() {
        return missing("python3's package cryptography is not there");
    }
    let folder = tempfile::tempdir().unwrap();
    let holder = holder(&made.stdout);
    let Some(image) = gcore(&holder, folder.path()) else {
        return missing("gcore is not there, or may not look at the process");
    };
    let outcome = scanned(&image, 1 << 20);
    for kind in KINDS {
        let found = outcome.findings.iter().filter(|finding| finding.public.kind == kind).collect::<Vec<_>>();
        let [finding] = found[..] else { panic!("{kind}: {} findings", found.len()) };
        assert_eq!(finding.evidence, Evidence::Proven, "{kind}");
    }
    drop(fs::remove_dir_all(folder.path()));
}
