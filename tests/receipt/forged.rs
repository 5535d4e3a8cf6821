//! Receipts and dumps that somebody changed after the fact: every byte of both, and whole receipts made anew.

use std::fs;

use dumpscrub::container::Settings;
use dumpscrub::detect::detectors;
use dumpscrub::image::Image;
use dumpscrub::redact::Proof;
use dumpscrub::redact::receipt::{Question, Sealed, VerifyingKey, keys as key_files, rule_set, verify};
use dumpscrub::scan::{Engine, Quiet};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::synth::forms;
use super::{Place, decoded, hex, statement};

/// What verification needs, made once for thousands of questions.
struct Judge {
    engine: Engine,
    output: Vec<u8>,
    receipt: Vec<u8>,
    key: Option<VerifyingKey>,
}

impl Judge {
    /// A short dump of no format, so that a verification costs little.
    fn new(more: &[&str], is_signed: bool) -> Self {
        let place = Place::new();
        fs::write(place.path("in.dmp"), format!("\0\0postgres://app:{}@db.internal/crm\0\0", place.password)).unwrap();
        place.good(&[&["redact", "in.dmp", "-o", "out.dmp"], more].concat());
        Self {
            engine: Engine::new(detectors().unwrap()).unwrap(),
            output: place.read("out.dmp"),
            receipt: place.read("out.dmp.receipt.json"),
            key: is_signed.then(|| key_files::read_public(&place.path("key.pub")).unwrap()),
        }
    }

    fn verify(&self, output: &[u8], receipt: &[u8]) -> Result<Proof, String> {
        let sealed = Sealed::of(receipt.to_vec())?;
        let output = Image::from_bytes("out.dmp", output.to_vec());
        let rules = rule_set(self.engine.rules(), &[]);
        let (public_key, engine) = (self.key.as_ref(), &self.engine);
        let question = Question {
            receipt: &sealed,
            output: &output,
            original: None,
            public_key,
            engine,
            rules: &rules,
            unpacking: &Settings::default(),
        };
        Ok(verify(&question, &Quiet).unwrap())
    }

    /// The names of the checks that fail; a file that is no receipt any more fails as one.
    fn failures(&self, output: &[u8], receipt: &[u8]) -> Vec<&'static str> {
        let proof = self.verify(output, receipt);
        proof.map_or(vec!["receipt"], |proof| proof.failures().map(|check| check.name).collect())
    }
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << (rand::random::<u8>() % 8);
    changed
}

#[test]
fn one_changed_byte_of_a_receipt_is_refused() {
    for (more, is_signed) in [(&["--sign", "key"][..], true), (&[], false)] {
        let judge = Judge::new(more, is_signed);
        assert_eq!(judge.failures(&judge.output, &judge.receipt), [""; 0]);
        for at in 0..judge.receipt.len() {
            let changed = flipped(&judge.receipt, at);
            let failures = judge.failures(&judge.output, &changed);
            assert!(!failures.is_empty(), "byte {at} of {}", String::from_utf8_lossy(&changed));
        }
        for at in [0, 1, judge.receipt.len() / 2] {
            assert!(!judge.failures(&judge.output, &judge.receipt[..at]).is_empty());
        }
    }
}

#[test]
fn what_was_changed_is_named() {
    let judge = Judge::new(&["--sign", "key"], true);
    let envelope: Value = serde_json::from_slice(&judge.receipt).unwrap();
    let with = |path: &str, value: String| {
        let mut envelope = envelope.clone();
        *envelope.pointer_mut(path).unwrap() = value.into();
        judge.failures(&judge.output, envelope.to_string().as_bytes())
    };
    let payload = String::from_utf8(decoded(&envelope["payload"])).unwrap();
    let changed = payload.replace("\"finding\": 1", "\"finding\": 2");
    assert_ne!(changed, payload);
    assert_eq!(with("/payload", forms::base64(changed.as_bytes())), ["signature", "receipt"]);
    let sig = decoded(&envelope["signatures"][0]["sig"]);
    assert_eq!(with("/signatures/0/sig", forms::base64(&flipped(&sig, 40))), ["signature"]);
    assert_eq!(with("/signatures/0/keyid", "0".repeat(64)), ["signature"]);
    assert_eq!(with("/payloadType", "text/plain".to_owned()), ["receipt"]);
    // What is the same in the other alphabet of base64 is the same.
    assert_eq!(with("/payload", forms::base64(payload.as_bytes())), [""; 0]);
}

#[test]
fn one_changed_byte_of_the_dump_is_refused() {
    let judge = Judge::new(&[], false);
    let edits = statement(&judge.receipt)["predicate"]["edits"].clone();
    let (from, len) = (edits[0]["offset"].as_u64().unwrap(), edits[0]["length"].as_u64().unwrap());
    for at in 0..judge.output.len() {
        let failures = judge.failures(&flipped(&judge.output, at), &judge.receipt);
        assert!(failures.contains(&"output-sha256"), "byte {at}: {failures:?}");
        let in_edit = (from..from + len).contains(&(at as u64));
        assert_eq!(failures.contains(&"fills"), in_edit, "byte {at}: {failures:?}");
    }
    let longer = [&judge.output[..], b"\0"].concat();
    assert_eq!(judge.failures(&longer, &judge.receipt), ["size", "output-sha256"]);
}

/// Whoever writes a whole receipt anew gets past its checksum; the files themselves still tell.
#[test]
fn a_receipt_that_was_made_up_is_refused_by_the_files() {
    let place = Place::redacted(&[]);
    let receipt = String::from_utf8(place.read("out.dmp.receipt.json")).unwrap();
    let judge = |receipt: &str, dump: &[u8]| {
        fs::write(place.path("forged.json"), resealed(receipt, dump)).unwrap();
        fs::write(place.path("forged.dmp"), dump).unwrap();
        let output =
            place.run(&["verify", "forged.dmp", "--receipt", "forged.json", "--original", "in.dmp", "-f", "json"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(told["holds"] == false)));
        let failed = told["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "fails");
        failed.map(|check| check["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let good = place.read("out.dmp");
    assert_eq!(judge(&receipt, &good), [""; 0]);
    let line = receipt.lines().find(|line| line.contains("\"width\"")).unwrap();
    assert_eq!(judge(&receipt.replace(&format!("{line}\n"), ""), &good), ["same-plan", "planned-bytes-only"]);
    // A byte of the noise in the heap.
    let edits = place.statement()["predicate"]["edits"].clone();
    let after = edits.as_array().unwrap().last().unwrap()["offset"].as_u64().unwrap() + 0x400;
    assert_eq!(judge(&receipt, &flipped(&good, usize::try_from(after).unwrap())), ["planned-bytes-only"]);
    assert!(judge(&receipt, &place.read("in.dmp")).contains(&"leftovers".to_owned()));
    assert_eq!(judge(&receipt.replace("\"site_count\": 2", "\"site_count\": 3"), &good), ["same-plan"]);
}

/// A statement with the digest of `dump`, and with a checksum that fits.
pub fn resealed(statement: &str, dump: &[u8]) -> String {
    let at = statement.find("\"sha256\": \"").unwrap() + 11;
    let named = format!("{}{}{}", &statement[..at], hex(&Sha256::digest(dump)), &statement[at + 64..]);
    let at = named.find("\"checksum\": \"").unwrap() + 12;
    format!("{}\"{}{}", &named[..at], hex(&Sha256::digest(&named[..at])), &named[at + 65..])
}
