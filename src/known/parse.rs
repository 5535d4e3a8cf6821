//! What a file of known things says: PEM, DER, lines of SSH, JSON Web Keys, or lines of secrets.
//!
//! Private keys are read by the detectors that find them in dumps. A file that holds something else than it should is refused
//! with the line: a key that was overlooked here would be told as not found.

use std::ops::Range;

use memchr::memmem;

use super::{Content, Kind, KnownSecret, RULE, Thing};
use crate::detect::base64_run::Run;
use crate::detect::{Candidate, Detector, Hit, Hits, Trigger, jwk, pem, putty};
use crate::finding::{Encoding, Evidence, Form, Layout, PublicIdentity};
use crate::hunt::Clue;
use crate::keys::public::PublicKey;
use crate::keys::{asn1, certificate, ssh};
use crate::vault::{Identity, Secret};
use crate::window::Window;

/// What a file of keys may hold, in words.
const KEYS: &str =
    "certificates, public keys or private keys as PEM or DER, lines of authorized_keys, or JSON Web Keys";
/// Bytes of the shortest secret text: three letters stand everywhere.
const SHORTEST: usize = 4;
/// Bytes of the longest secret text.
const LONGEST: usize = 64 << 10;
/// Bytes from which on a secret text does not stand somewhere by chance.
const SURE: usize = 16;

type Result<T> = std::result::Result<T, String>;

/// The things that the bytes of a file name, or what is wrong with it.
pub fn things(file: &str, bytes: &[u8], content: Content) -> Result<Vec<Thing>> {
    let reader = Reader { file, content };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let things = match bytes {
        [] => return Err(format!("expected {}, found nothing: it is empty", reader.expected())),
        bytes if memchr::memchr(0, bytes).is_some() || bytes.first() == Some(&0x30) && is_der(bytes) => {
            vec![reader.binary(bytes)?]
        }
        text => reader.text(text)?,
    };
    if things.is_empty() {
        return Err(format!("expected {}, found none", reader.expected()));
    }
    Ok(things)
}

fn is_der(bytes: &[u8]) -> bool {
    asn1::sequence_len(bytes).is_some_and(|len| bytes.len().saturating_sub(len) <= 2)
}

struct Reader<'a> {
    file: &'a str,
    content: Content,
}

impl Reader<'_> {
    fn expected(&self) -> &'static str {
        match self.content {
            Content::Keys => KEYS,
            Content::Secrets => "private keys as PEM, DER or JSON Web Keys, or lines of which each is a secret",
        }
    }

    fn binary(&self, bytes: &[u8]) -> Result<Thing> {
        let form = Form::whole(Layout::Bare, Encoding::Plain);
        let private = asn1::private_key(bytes).or_else(|| ssh::private_key(bytes));
        if let Some(parsed) = private {
            return self.private(None, parsed.key.at(0..bytes.len(), form));
        }
        let public = self.certificate(None, bytes).or_else(|| self.public(None, PublicKey::of_der(bytes)?));
        public.ok_or_else(|| format!("expected {}, found other binary bytes", self.expected()))
    }

    fn text(&self, text: &[u8]) -> Result<Vec<Thing>> {
        let head = text.trim_ascii_start();
        let is_json = head.starts_with(b"{") || head.starts_with(b"[");
        if is_json && memmem::find(text, b"\"kty\"").is_some() {
            return self.json(text);
        }
        if head.starts_with(b"PuTTY-User-Key-File-") {
            let hit =
                found(&putty::Putty, text, 0..text.len()).ok_or("expected a whole PuTTY key, found a damaged one")?;
            return Ok(vec![self.private(Some(1), hit)?]);
        }
        let blocks = blocks(text)?;
        let mut things = Vec::new();
        for block in &blocks {
            things.extend(self.block(text, block)?);
        }
        for (line, range) in lines(text).filter(|(_, range)| !blocks.iter().any(|b| b.range.contains(&range.start))) {
            things.extend(self.line(line, text.get(range).unwrap_or_default(), !blocks.is_empty())?);
        }
        things.sort_by_key(|thing| thing.line);
        Ok(things)
    }

    /// Keys as JSON, one or a set.
    fn json(&self, text: &[u8]) -> Result<Vec<Thing>> {
        let key = |at: usize| {
            let line = line_of(text, at);
            let mut hits = Hits::default();
            jwk::Jwk.confirm(Candidate { at, literal: 0, wide: false }, &window(text), &mut hits);
            match hits.hits.into_iter().next() {
                Some(hit) => self.private(Some(line), hit),
                None => self
                    .public(Some(line), jwk::public_key(text, at).ok_or_else(|| unread(line, "JSON Web Key"))?)
                    .ok_or_else(|| unread(line, "JSON Web Key")),
            }
        };
        memmem::find_iter(text, b"\"kty\"").map(key).collect()
    }

    fn block(&self, text: &[u8], block: &Block<'_>) -> Result<Option<Thing>> {
        let (line, label) = (block.line, String::from_utf8_lossy(block.label));
        if block.label.ends_with(b"PRIVATE KEY") {
            let hit = found(&pem::Pem, text, block.range.clone()).ok_or_else(|| unread(line, &label))?;
            return self.private(Some(line), hit).map(Some);
        }
        let der = Run::read(text, block.body).decode();
        let thing = match block.label {
            b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" => self.certificate(Some(line), &der),
            b"PUBLIC KEY" | b"RSA PUBLIC KEY" => {
                self.public(Some(line), PublicKey::of_der(&der).ok_or_else(|| unread(line, &label))?)
            }
            // They stand beside keys and tell of no other.
            b"EC PARAMETERS" | b"DH PARAMETERS" | b"X9.42 DH PARAMETERS" => return Ok(None),
            _ => return Err(format!("line {line}: expected {}, found {label}", self.expected())),
        };
        thing.map(Some).ok_or_else(|| unread(line, &label))
    }

    /// A line that is in no block. Beside PEM, tools write lines that say what it is.
    fn line(&self, line: usize, text: &[u8], beside_pem: bool) -> Result<Option<Thing>> {
        let trimmed = text.trim_ascii();
        if trimmed.is_empty() {
            return Ok(None);
        }
        if let Some(key) = ssh_key(trimmed) {
            return self.public(Some(line), key).map(Some).ok_or_else(|| unread(line, "SSH public key"));
        }
        match self.content {
            Content::Secrets => self.secret(line, text).map(Some),
            Content::Keys if beside_pem || trimmed.starts_with(b"#") => Ok(None),
            Content::Keys => {
                Err(format!("line {line}: expected {KEYS}, found something else; is it for --known-secrets?"))
            }
        }
    }

    fn secret(&self, line: usize, text: &[u8]) -> Result<Thing> {
        if !(SHORTEST..=LONGEST).contains(&text.len()) {
            let len = text.len();
            return Err(format!("line {line}: expected a secret of {SHORTEST} to {LONGEST} bytes, found {len}"));
        }
        let secret = Secret::text(text);
        let public = PublicIdentity { context: vec![format!("{} bytes", text.len())], ..PublicIdentity::default() };
        let different = text.iter().collect::<std::collections::BTreeSet<_>>().len();
        let sure = text.len() >= SURE && different >= SURE / 2;
        let evidence = if sure { Evidence::Proven } else { Evidence::Matched };
        let identity = secret.identity();
        let secret = KnownSecret { rule: RULE.to_owned(), severity: None, evidence, secret };
        Ok(self.thing(Some(line), Kind::Text, public, identity, Vec::new(), Some(secret)))
    }

    fn private(&self, line: Option<usize>, hit: Hit) -> Result<Thing> {
        let at = line.map_or_else(String::new, |line| format!("line {line}: "));
        let Hit { rule, severity, evidence, public, secret, form, .. } = hit;
        if rule == ssh::ENCRYPTED {
            return Err(format!(
                "{at}expected a private key without a passphrase, found one that is encrypted; decrypt a copy (mode 0600)"
            ));
        }
        if form.is_fragment() || rule == pem::FRAGMENT {
            return Err(format!("{at}expected a whole private key, found one that is damaged or cut short"));
        }
        let identity = secret.identity();
        let secret = KnownSecret { rule, severity, evidence, secret };
        Ok(self.thing(line, Kind::PrivateKey, public, identity, Vec::new(), Some(secret)))
    }

    fn certificate(&self, line: Option<usize>, der: &[u8]) -> Option<Thing> {
        let (clues, _) = certificate::clues(der)?;
        let (spki, certificate) = clues.iter().find_map(|clue| match clue {
            Clue::Certificate { spki_sha256, certificate } => Some((spki_sha256, certificate.clone())),
            _ => None,
        })?;
        let identity = Identity::of_public_key(spki);
        let key = certificate::public_key(der);
        let public = key.as_ref().map(|key| key.clone().identity()).unwrap_or_default();
        let public = PublicIdentity { certificates: vec![certificate], ..public };
        let clues = clues.iter().cloned().chain(key.and_then(|key| key.clue)).collect();
        Some(self.thing(line, Kind::Certificate, public, identity, clues, None))
    }

    fn public(&self, line: Option<usize>, key: PublicKey) -> Option<Thing> {
        let (identity, clues) = (Identity::of_public_key(&key.spki_sha256), key.clue.iter().cloned().collect());
        Some(self.thing(line, Kind::PublicKey, key.identity(), identity, clues, None))
    }

    fn thing(
        &self,
        line: Option<usize>,
        kind: Kind,
        public: PublicIdentity,
        identity: Identity,
        clues: Vec<Clue>,
        secret: Option<KnownSecret>,
    ) -> Thing {
        Thing { file: self.file.to_owned(), line, kind, public, identity, clues, secret }
    }
}

fn unread(line: usize, what: &str) -> String {
    format!("line {line}: expected a whole {what} of a known kind, found one that cannot be read")
}

fn window(text: &[u8]) -> Window<'_> {
    Window::new(text, 0..text.len(), &[], &[])
}

/// The first thing that a detector finds at one of its literals in `range`.
fn found(detector: &dyn Detector, text: &[u8], range: Range<usize>) -> Option<Hit> {
    let Trigger::Literals(literals) = detector.trigger() else { return None };
    let part = text.get(range.clone())?;
    let places = literals.iter().enumerate().flat_map(|(literal, l)| {
        memmem::find_iter(part, &l.bytes).map(move |at| Candidate { at: range.start + at, literal, wide: false })
    });
    let mut hits = Hits::default();
    places.for_each(|candidate| detector.confirm(candidate, &window(text), &mut hits));
    hits.hits.into_iter().next()
}

/// A block of PEM.
struct Block<'a> {
    line: usize,
    label: &'a [u8],
    range: Range<usize>,
    /// Where the line behind the first begins.
    body: usize,
}

fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (line, range) in lines(text) {
        let words = text.get(range.clone()).unwrap_or_default().trim_ascii();
        let label = |kind: &[u8]| words.strip_prefix(b"-----")?.strip_prefix(kind)?.strip_suffix(b"-----");
        if let Some(label) = label(b"BEGIN ") {
            refuse_open(open.as_ref())?;
            open = Some(Block { line, label, range: range.clone(), body: range.end });
        } else if label(b"END ").is_some() {
            let block =
                open.take().ok_or_else(|| format!("line {line}: expected a BEGIN line before END, found none"))?;
            blocks.push(Block { range: block.range.start..range.end, ..block });
        }
    }
    refuse_open(open.as_ref())?;
    Ok(blocks)
}

fn refuse_open(open: Option<&Block<'_>>) -> Result<()> {
    open.map_or(Ok(()), |block| {
        Err(format!(
            "line {}: expected an END line behind BEGIN {}, found none",
            block.line,
            block.label.escape_ascii()
        ))
    })
}

/// Each line with its number, without its end.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
    let mut at = 0;
    text.split(|&b| b == b'\n').enumerate().map(move |(i, line)| {
        let start = at;
        at += line.len() + 1;
        (i + 1, start..start + line.strip_suffix(b"\r").unwrap_or(line).len())
    })
}

fn line_of(text: &[u8], at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', text.get(..at).unwrap_or_default()).count()
}

/// The key of a line of `authorized_keys`, `known_hosts` or of a `.pub` file: the name of its kind, then base64.
fn ssh_key(line: &[u8]) -> Option<PublicKey> {
    let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    let mut pairs = words.windows(2).filter_map(|pair| match pair {
        [kind, letters] if ssh::is_kind(kind) => Some(letters),
        _ => None,
    });
    pairs.find_map(|letters| ssh::public_key(&Run::read(letters, 0).decode()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{element, noise, pkcs1, rsa_key};
    use ::rsa::pkcs1::EncodeRsaPublicKey as _;
    use base64ct::{Base64, Encoding as _};
    use spki::EncodePublicKey as _;

    fn pem(label: &str, der: &[u8]) -> String {
        let letters = Base64::encode_string(der);
        let lines: Vec<&str> = letters.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    fn certificate(spki: &[u8]) -> Vec<u8> {
        let algorithm = element(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"]);
        let pair = element(0x30, &[b"\x06\x03\x55\x04\x03", &element(0x0c, &[b"login.example"])]);
        let name = element(0x30, &[&element(0x31, &[&pair])]);
        let time = element(0x17, &[b"240101000000Z"]);
        let (version, serial) = (element(0xa0, &[b"\x02\x01\x02"]), element(2, &[b"\x05"]));
        let validity = element(0x30, &[&time, &time]);
        let body = element(0x30, &[&version, &serial, &algorithm, &name, &validity, &name, spki]);
        element(0x30, &[&body, &algorithm, &element(3, &[&[0], &noise(128, 1)])])
    }

    fn read(bytes: &[u8], content: Content) -> Result<Vec<Thing>> {
        things("file", bytes, content)
    }

    fn keys(bytes: &[u8]) -> Vec<Thing> {
        read(bytes, Content::Keys).unwrap()
    }

    fn refused(bytes: &[u8], content: Content, words: &[&str]) {
        let reason = read(bytes, content).unwrap_err();
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    }

    #[test]
    fn one_public_key_is_the_same_thing_in_every_form() {
        let key = rsa_key(1024).to_public_key();
        let (spki, pkcs1) = (key.to_public_key_der().unwrap(), key.to_pkcs1_der().unwrap());
        let cert = certificate(spki.as_bytes());
        let ssh = {
            use ::rsa::traits::PublicKeyParts as _;
            let number = |n: &[u8]| {
                let n = crate::keys::number::Number::from_be(n).to_be();
                if n[0] & 0x80 != 0 { [&[0][..], &n].concat() } else { n }
            };
            let strings = [b"ssh-rsa".to_vec(), number(&key.e().to_be_bytes()), number(&key.n().to_be_bytes())];
            let wire =
                strings.iter().flat_map(|s| [&(s.len() as u32).to_be_bytes()[..], s].concat()).collect::<Vec<u8>>();
            format!("# who\n\nfrom=\"a b\",no-pty ssh-rsa {} me@host\n", Base64::encode_string(&wire))
        };
        let jwk = {
            use ::rsa::traits::PublicKeyParts as _;
            use base64ct::Base64UrlUnpadded;
            let (n, e) = (key.n().to_be_bytes(), key.e().to_be_bytes());
            let e: Vec<u8> = e.iter().copied().skip_while(|&b| b == 0).collect();
            let b64 = Base64UrlUnpadded::encode_string;
            format!("{{\"keys\": [{{\"kty\": \"RSA\", \"n\": \"{}\", \"e\": \"{}\"}}]}}", b64(&n), b64(&e))
        };
        let files: Vec<Vec<u8>> = vec![
            spki.as_bytes().to_vec(),
            pkcs1.as_bytes().to_vec(),
            cert.clone(),
            pem("PUBLIC KEY", spki.as_bytes()).into_bytes(),
            pem("RSA PUBLIC KEY", pkcs1.as_bytes()).into_bytes(),
            format!("subject=CN = x\n{}", pem("CERTIFICATE", &cert)).into_bytes(),
            pem("CERTIFICATE", &cert).replace('\n', "\r\n").into_bytes(),
            ssh.into_bytes(),
            jwk.into_bytes(),
        ];
        let first = keys(&files[0]).remove(0);
        for file in &files {
            let things = keys(file);
            let [thing] = &things[..] else { panic!() };
            assert_eq!((thing.identity, &thing.public.spki_sha256), (first.identity, &first.public.spki_sha256));
            assert!(thing.is_hunted() && thing.secret.is_none());
            assert!(thing.public.ssh_fingerprint == first.public.ssh_fingerprint);
        }
        let things = keys(&files[5]);
        assert_eq!((things[0].line, things[0].certificate().unwrap().subject.as_str()), (Some(2), "CN=login.example"));
    }

    #[test]
    fn private_keys_and_lines_are_secrets() {
        let der = pkcs1(1024);
        let text = format!("{}\n  a secret with blanks \r\n{}", "first-secret", pem("RSA PRIVATE KEY", &der));
        let things = read(text.as_bytes(), Content::Secrets).unwrap();
        let kinds: Vec<_> = things.iter().map(|thing| (thing.line, thing.kind)).collect();
        assert_eq!(kinds, [(Some(1), Kind::Text), (Some(2), Kind::Text), (Some(3), Kind::PrivateKey)]);
        let secret = |i: usize| things[i].secret.clone().unwrap().secret;
        assert_eq!(secret(1).identity(), Secret::text(b"  a secret with blanks ").identity());
        assert_eq!(secret(2).identity(), asn1::private_key(&der).unwrap().key.secret.identity());
        let alone = keys(&der);
        assert_eq!((alone[0].kind, alone[0].line, alone[0].identity), (Kind::PrivateKey, None, secret(2).identity()));
        assert!(!format!("{things:?}").contains("first-secret"));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        let good = pem("RSA PRIVATE KEY", &pkcs1(1024));
        refused(b"", Content::Keys, &["expected", "empty"]);
        refused(b"\n\n", Content::Secrets, &["expected", "found none"]);
        refused(b"ssh-rsa AAAA broken\n", Content::Keys, &["line 1", "--known-secrets"]);
        refused(b"x\nabc\n", Content::Secrets, &["line 1", "4 to"]);
        refused(&[b"abcd\n", &vec![b'x'; LONGEST + 1][..]].concat(), Content::Secrets, &["line 2", "found 65537"]);
        refused(&noise(300, 3), Content::Keys, &["binary"]);
        refused(pem("CERTIFICATE", &noise(300, 3)).as_bytes(), Content::Keys, &["line 1", "whole CERTIFICATE"]);
        refused(pem("X509 CRL", &noise(300, 3)).as_bytes(), Content::Keys, &["line 1", "found X509 CRL"]);
        refused(pem("ENCRYPTED PRIVATE KEY", &noise(300, 3)).as_bytes(), Content::Keys, &["line 1", "expected"]);
        refused(&good.as_bytes()[..good.len() - 30], Content::Secrets, &["line 1", "END"]);
        refused(format!("a line\n{}", &good[good.len() / 2..]).as_bytes(), Content::Keys, &["line", "BEGIN"]);
        let cut: String =
            good.lines().filter(|line| line.len() != 64 || line.starts_with("MII")).collect::<Vec<_>>().join("\n");
        refused(cut.as_bytes(), Content::Keys, &["line 1"]);
        refused(b"{\"kty\": \"RSA\", \"n\": \"AQAB\"}", Content::Keys, &["line 1", "JSON Web Key"]);
        assert!(
            keys(
                format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{good}")
                    .as_bytes()
            )
            .len()
                == 1
        );
    }
}
