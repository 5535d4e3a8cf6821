//! What is found, in words that can be printed: nothing here holds a byte of a secret.

use serde::{Deserialize, Serialize};

use crate::span::Span;
use crate::vault::SecretId;

/// How bad it is that this left with the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Printed, never counted: public self-test keys, generator state.
    Info,
    /// Of use only together with something else: an encrypted key.
    Low,
    /// Opens one door: a password, a token.
    High,
    /// A private key, or what opens every door.
    Critical,
}

/// How sure it is, by what was computed. No credential is ever tried against a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// A pattern fits.
    Matched,
    /// A checksum or a structure decodes.
    Parsed,
    /// An identity holds that random bytes satisfy with a chance below 2^-64: n = p*q, Q = d*G.
    Proven,
}

/// Which rules are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Rules that know a secret by its issuer, its structure or its checksum.
    #[default]
    Default,
    /// Also rules that know a secret only by the words around it, and are often wrong.
    Paranoid,
}

impl Profile {
    /// Whether it is the default one.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

/// What kind of secret, and what to do when it leaked. Code declares some, rule files the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Stable identifier, e.g. `rsa-private-key`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in a sentence.
    pub description: String,
    /// What to do when it leaked.
    pub remedy: String,
    /// The least profile under which it is looked for; left out in JSON where it is the default one.
    #[serde(skip_serializing_if = "Profile::is_default")]
    pub profile: Profile,
    /// Whether it is for any secret that stands where it looks: then a rule that knows the secret better names it, and says how
    /// bad it is.
    #[serde(skip)]
    pub general: bool,
}

impl Rule {
    /// A rule that code declares.
    #[must_use]
    pub fn new(id: &str, title: &str, severity: Severity, description: &str, remedy: &str) -> Self {
        let (id, title) = (id.to_owned(), title.to_owned());
        let (description, remedy) = (description.to_owned(), remedy.to_owned());
        Self { id, title, severity, description, remedy, profile: Profile::Default, general: false }
    }

    /// The same rule, looked for under this profile.
    #[must_use]
    pub fn under(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// The same rule, for any secret or not.
    #[must_use]
    pub fn for_any(self, general: bool) -> Self {
        Self { general, ..self }
    }
}

/// What wraps the secret at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// PEM text, both lines there.
    Pem,
    /// PEM text of which only a part is there.
    PemFragment,
    /// A DER structure of PKCS#1.
    Pkcs1,
    /// A DER structure of PKCS#8, encrypted ones included.
    Pkcs8,
    /// A DER structure of SEC 1.
    Sec1,
    /// A DER structure of PKCS#12.
    Pkcs12,
    /// DER INTEGERs whose enclosing structure is gone.
    DerFragment,
    /// OpenSSH's `openssh-key-v1`.
    OpenSsh,
    /// PuTTY's key file.
    Putty,
    /// A blob of the Windows CryptoAPI: `PRIVATEKEYBLOB`.
    Capi,
    /// A blob of Windows CNG: `BCRYPT_RSAKEY_BLOB` and its kin.
    Cng,
    /// A blob that the Windows Data Protection API encrypted.
    Dpapi,
    /// An answer of NTLM.
    Ntlm,
    /// A secret-key packet of OpenPGP.
    Pgp,
    /// A keytab, a ticket cache or a message of Kerberos.
    Kerberos,
    /// .NET's `<RSAKeyValue>`.
    KeyXml,
    /// A JSON Web Key.
    Jwk,
    /// An S-expression of libgcrypt or GnuPG.
    Sexp,
    /// The round keys of a block cipher.
    KeySchedule,
    /// The state of a cipher or a library around its key.
    CipherState,
    /// A private key that OpenSSH keeps encrypted in memory, or the random bytes that it is encrypted under.
    Shielded,
    /// Text that a rule matched.
    Text,
    /// Nothing: the bare bytes, found because they are known from another site.
    Bare,
}

/// How the bytes at a site are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// As they are: binary, ASCII or UTF-8.
    Plain,
    /// A number, least significant byte first.
    LittleEndian,
    /// A number in words of 4 bytes, most significant word first, each word least significant byte first: Java's `int[]`.
    Words32,
    /// A number in words of 8 bytes, least significant word first, each word most significant byte first: limbs of a
    /// big-endian machine.
    Limbs64,
    /// A number in words of 4 bytes, least significant word first, each word most significant byte first.
    Limbs32,
    /// A number in digits of 30 bits, least significant first, each in 4 bytes: CPython's integers.
    Digits30,
    /// A number in digits of 28 bits, least significant first, each in 4 bytes: libtommath's integers.
    Digits28,
    /// A number in digits of 60 bits, least significant first, each in 8 bytes: libtommath's integers on 64-bit machines.
    Digits60,
    /// A number in digits of 26 bits, least significant first, as small integers of V8: bn.js.
    SmallIntegers26,
    /// A number in digits of 28 bits, least significant first, as small integers of V8: jsbn.
    SmallIntegers28,
    /// A number in decimal digits.
    Decimal,
    /// Bytes whose order is reversed in every word of 4: round keys that were loaded as big-endian words.
    Swapped32,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// UTF-32, low byte first: `wchar_t` of systems other than Windows.
    Utf32Le,
    /// Hexadecimal digits, either case.
    Hex,
    /// Base64 of either alphabet.
    Base64,
    /// Percent-encoding of URLs and forms.
    Percent,
    /// Backslash escapes of JSON or C, or the entities of XML.
    Escaped,
    /// Every byte exclusive-or 0x36: the key in the block that the inner hash of HMAC begins with.
    HmacInner,
    /// Every byte exclusive-or 0x5c: the key in the block that the outer hash of HMAC begins with.
    HmacOuter,
    /// The Huffman code of header fields in HTTP/2 and HTTP/3 (RFC 7541).
    Huffman,
    /// Deflated, in a stream of gzip (RFC 1952).
    Gzip,
}

/// Which part of the secret stands at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// All of it.
    Whole,
    /// First prime of an RSA key.
    P,
    /// Second prime of an RSA key.
    Q,
    /// Private exponent or scalar.
    D,
    /// d mod (p - 1).
    Dp,
    /// d mod (q - 1).
    Dq,
    /// Inverse of q mod p.
    Qinv,
    /// The seed that an Edwards or Montgomery key is made from.
    Seed,
    /// R^2 mod p, which Montgomery arithmetic keeps beside p.
    RrP,
    /// R^2 mod q.
    RrQ,
    /// qinv * R mod p: the inverse of q in Montgomery form.
    QinvMont,
    /// d * R modulo the order of the curve: the scalar in Montgomery form.
    DMont,
    /// 2^k - p, which some libraries keep beside p.
    NegP,
    /// 2^k - q.
    NegQ,
    /// p - 1.
    PMinus1,
    /// q - 1.
    QMinus1,
    /// (p - 1)(q - 1).
    Phi,
    /// The least common multiple of p - 1 and q - 1.
    Lambda,
    /// d modulo the other totient than the one that the key was found with.
    OtherD,
    /// The hash of the seed, whose first half is the scalar: what signing with an Edwards key uses.
    Expanded,
    /// The round keys of a cipher.
    Schedule,
    /// The key that follows from a secret of TLS and encrypts what is sent.
    RecordKey,
    /// The random bytes that an OpenSSH key is shielded with.
    Prekey,
    /// Some of it.
    Fragment,
}

const LAYOUTS: &[Layout] = &[
    Layout::Pem,
    Layout::PemFragment,
    Layout::Pkcs1,
    Layout::Pkcs8,
    Layout::Sec1,
    Layout::Pkcs12,
    Layout::DerFragment,
    Layout::OpenSsh,
    Layout::Putty,
    Layout::Capi,
    Layout::Cng,
    Layout::Dpapi,
    Layout::Ntlm,
    Layout::Pgp,
    Layout::Kerberos,
    Layout::KeyXml,
    Layout::Jwk,
    Layout::Sexp,
    Layout::KeySchedule,
    Layout::CipherState,
    Layout::Shielded,
    Layout::Text,
    Layout::Bare,
];
const ENCODINGS: &[Encoding] = &[
    Encoding::Plain,
    Encoding::LittleEndian,
    Encoding::Words32,
    Encoding::Limbs64,
    Encoding::Limbs32,
    Encoding::Digits30,
    Encoding::Digits28,
    Encoding::Digits60,
    Encoding::SmallIntegers26,
    Encoding::SmallIntegers28,
    Encoding::Decimal,
    Encoding::Swapped32,
    Encoding::Utf16Le,
    Encoding::Utf16Be,
    Encoding::Utf32Le,
    Encoding::Hex,
    Encoding::Base64,
    Encoding::Percent,
    Encoding::Escaped,
    Encoding::HmacInner,
    Encoding::HmacOuter,
];
const PIECES: &[Piece] = &[
    Piece::Whole,
    Piece::P,
    Piece::Q,
    Piece::D,
    Piece::Dp,
    Piece::Dq,
    Piece::Qinv,
    Piece::Seed,
    Piece::RrP,
    Piece::RrQ,
    Piece::QinvMont,
    Piece::DMont,
    Piece::NegP,
    Piece::NegQ,
    Piece::PMinus1,
    Piece::QMinus1,
    Piece::Phi,
    Piece::Lambda,
    Piece::OtherD,
    Piece::Expanded,
    Piece::Schedule,
    Piece::RecordKey,
    Piece::Prekey,
    Piece::Fragment,
];

/// How a site holds its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Form {
    /// What wraps it.
    pub layout: Layout,
    /// How its bytes are written.
    pub encoding: Encoding,
    /// Which part it is.
    pub piece: Piece,
}

impl Form {
    /// The whole secret in `layout`, written as `encoding`.
    #[must_use]
    pub fn whole(layout: Layout, encoding: Encoding) -> Self {
        Self { layout, encoding, piece: Piece::Whole }
    }

    /// Whether it is what is left of a structure.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        matches!(self.layout, Layout::DerFragment | Layout::PemFragment) || self.piece == Piece::Fragment
    }

    /// Three bytes for it, for sites that are spilled.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 3] {
        [self.layout as u8, self.encoding as u8, self.piece as u8]
    }

    /// The form of three bytes that [`Form::to_bytes`] made.
    #[must_use]
    pub fn from_bytes([layout, encoding, piece]: [u8; 3]) -> Option<Self> {
        Some(Self {
            layout: LAYOUTS.iter().copied().find(|&l| l as u8 == layout)?,
            encoding: ENCODINGS.iter().copied().find(|&e| e as u8 == encoding)?,
            piece: PIECES.iter().copied().find(|&p| p as u8 == piece)?,
        })
    }
}

/// One place where a secret stands: the bytes that redaction would have to replace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The bytes in the order of the secret; more than one span where a seam cuts it.
    pub spans: Vec<Span>,
    /// How it is held there.
    pub form: Form,
}

impl Site {
    /// Length in bytes, all spans together.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.spans.iter().map(|span| span.len).sum()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// File offset of its first byte.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.spans.first().map_or(0, Span::from)
    }
}

/// What may be told of a secret: enough for a rotation ticket, nothing of the secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicIdentity {
    /// What it is, e.g. `RSA-2048`, `P-256`, `Ed25519`; empty for text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// SHA-256 of the SubjectPublicKeyInfo in hexadecimal: the name that certificates and tools know the key by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spki_sha256: Option<String>,
    /// The name that OpenSSH prints for the key: `SHA256:` and base64. `None` for keys that SSH does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_fingerprint: Option<String>,
    /// Certificates in the dump that belong to it: subject and serial number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// What else the place tells: the user of a URL, the name of an environment variable. Never secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<String>,
}

/// Lines of context that a finding keeps: the first ones in order, so that it does not matter what came first.
const MOST_CONTEXT: usize = 32;

/// How the context of a key ends that is the state of a random generator.
const GENERATOR: &str = "random generator";

/// The context of a key that is the state of somebody's random generator.
#[must_use]
pub fn state_of_generator(of: &str) -> String {
    format!("state of {of}'s {GENERATOR}")
}

impl Finding {
    /// Whether it is the state of a random generator. It protects nothing by itself, and does not count; but it is a secret, from which
    /// what a process that lives on will call random follows.
    #[must_use]
    pub fn is_of_a_generator(&self) -> bool {
        self.public.context.iter().any(|line| line.ends_with(GENERATOR))
    }
}

impl PublicIdentity {
    /// Adds what other places tell: each thing once, in order.
    pub fn add_context(&mut self, more: Vec<String>) {
        self.context.extend(more);
        self.context.sort();
        self.context.dedup();
        self.context.truncate(MOST_CONTEXT);
    }
}

/// A certificate that was seen in the dump.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Certificate {
    /// Subject as RFC 4514 text.
    pub subject: String,
    /// Serial number in hexadecimal.
    pub serial: String,
}

/// Index of a rule in the scan's list of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub usize);

/// One secret.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What kind of secret.
    pub rule: RuleId,
    /// The rule's severity, or `Info` where the secret is public knowledge.
    pub severity: Severity,
    /// The best evidence that any of its sites gave.
    pub evidence: Evidence,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// Where its bytes are kept while the scan lasts.
    pub secret: SecretId,
    /// How many sites it has.
    pub sites: u64,
}
