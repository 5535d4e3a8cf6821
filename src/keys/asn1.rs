//! DER: the one home of the private-key structures of PKCS#1, PKCS#8, SEC 1 and PKCS#12.
//!
//! The fields are read one by one and not by the crates' own structures, because memory holds what those refuse: an
//! explicit tag where an implicit one belongs, curve parameters spelled out, a number without its leading zero. What
//! counts is whether the numbers fit together.

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode as _, Header, Reader as _, SliceReader, Tag, Tagged as _};
use spki::AlgorithmIdentifierRef;

use super::number::Number;
use super::public::PublicKey;
use super::rsa::{self, RsaNumbers};
use super::{FoundKey, dsa, ec, edwards, fragment, template};
use crate::finding::{Evidence, Layout, Piece, PublicIdentity, Rule, Severity};
use crate::vault::{Part, PartKind, Secret, SecretBytes};

/// The longest structure that is looked at, in bytes. A PKCS#12 file with a long chain has some 10 KiB.
pub const LONGEST: usize = 1 << 20;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// Names for the algorithms that are parsed and not computed, by OID; others go by their OID.
const OTHER_ALGORITHMS: &[(&str, &str)] = &[
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.113549.1.3.1", "DH"),
    ("1.2.840.10046.2.1", "DH"),
    ("1.3.101.113", "Ed448"),
    ("1.3.101.111", "X448"),
];
/// PKCS#5's and PKCS#12's password-based encryption: every scheme lies below one of these arcs.
const PBE_ARCS: &[&[u8]] = &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x05", b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"];
/// PKCS#5's key derivation and MAC stand in the same arc and encrypt nothing.
const NOT_ENCRYPTION: &[&[u8]] = &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c", b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e"];
/// PKCS#7 `data` and `signedData`: the two contents that a PKCS#12 file may have.
const PKCS7_CONTENTS: &[&[u8]] = &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"];

/// A private key that stood at the start of some bytes.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The key.
    pub key: FoundKey,
    /// How many bytes its structure takes, header included.
    pub len: usize,
    /// Which structure it was.
    pub layout: Layout,
}

/// The private key that `der` starts with: PKCS#1, PKCS#8 (plain or encrypted), SEC 1 or PKCS#12. What follows it does not
/// matter; what is cut off does, as the fields inside must be whole.
#[must_use]
pub fn private_key(der: &[u8]) -> Option<Parsed> {
    let len = sequence_len(der)?;
    let whole = der.get(..len)?;
    let mut fields = Fields::inside(whole)?;
    let first = fields.next()?;
    let (key, layout) = match first.tag() {
        Tag::Integer => versioned(number(first)?.to_u64()?, fields, whole)?,
        Tag::Sequence => (encrypted(first, fields)?, Layout::Pkcs8),
        _ => return None,
    };
    Some(Parsed { key, len, layout })
}

/// How many bytes the SEQUENCE takes whose header `der` starts with, the header included; at most [`LONGEST`]. The bytes
/// need not be there.
#[must_use]
pub fn sequence_len(der: &[u8]) -> Option<usize> {
    let header = der.get(..der.len().min(8)).filter(|header| header.first() == Some(&0x30))?;
    let mut reader = SliceReader::new(header).ok()?;
    let len = Header::decode(&mut reader).ok()?.length();
    let (start, len) = (usize::try_from(reader.position()).ok()?, usize::try_from(len).ok()?);
    start.checked_add(len).filter(|&len| len <= LONGEST)
}

/// Modulus and exponent (most significant byte first, no leading zeros) of the RSA public key that `der` starts with, and
/// its length in bytes: a SubjectPublicKeyInfo or PKCS#1's RSAPublicKey.
#[must_use]
pub fn rsa_public(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>, usize)> {
    let len = sequence_len(der)?;
    let mut fields = Fields::inside(der.get(..len)?)?;
    let first = fields.next()?;
    if first.tag() == Tag::Sequence {
        let algorithm: AlgorithmIdentifierRef<'_> = first.decode_as().ok()?;
        let bits = fields.next().filter(|bits| bits.tag() == Tag::BitString)?;
        let (0, inner) = bits.value().split_first().map(|(unused, inner)| (*unused, inner))? else { return None };
        let key = Fields(inner).next().filter(|key| key.tag() == Tag::Sequence)?;
        return public_numbers(key).filter(|_| [RSA, RSA_PSS].contains(&algorithm.oid)).map(|(n, e)| (n, e, len));
    }
    public_numbers(Fields(der.get(..len)?).next()?).map(|(n, e)| (n, e, len))
}

fn public_numbers(key: AnyRef<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut fields = Fields(key.value());
    let (n, e) = (number(fields.next()?)?, number(fields.next()?)?);
    (fields.is_empty() && rsa::is_public_key(&n, &e)).then(|| (n.to_be(), e.to_be()))
}

/// Fields of a structure, in order; ends at the first that is not well formed.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields inside the structure (of any tag) that `der` is.
    fn inside(der: &'a [u8]) -> Option<Self> {
        Fields(der).next().map(|whole| Self(whole.value()))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = AnyRef<'a>;

    fn next(&mut self) -> Option<AnyRef<'a>> {
        let mut reader = SliceReader::new(self.0).ok()?;
        let field = AnyRef::decode(&mut reader).ok()?;
        self.0 = self.0.get(usize::try_from(reader.position()).ok()?..)?;
        Some(field)
    }
}

/// An INTEGER's value. Writers that forget the leading zero of a number whose top bit is set are believed.
fn number(field: AnyRef<'_>) -> Option<Number> {
    let value = field.value();
    (field.tag() == Tag::Integer && value.len() <= 2 + (*rsa::MODULUS_BITS.end() / 8) as usize)
        .then(|| Number::from_be(value))
}

fn octets(field: AnyRef<'_>) -> Option<&[u8]> {
    (field.tag() == Tag::OctetString).then(|| field.value())
}

/// A structure that starts with its version: what stands second tells which one it is.
fn versioned(version: u64, mut fields: Fields<'_>, whole: &[u8]) -> Option<(FoundKey, Layout)> {
    let second = fields.next()?;
    match (version, second.tag()) {
        (0, Tag::Integer) if Fields(fields.0).count() == 4 => Some((dsa(second, fields)?, Layout::Pkcs1)),
        (0 | 1, Tag::Integer) => Some((pkcs1(version, second, fields, whole)?, Layout::Pkcs1)),
        (0 | 1, Tag::Sequence | Tag::OctetString) if template::is_template(whole) => None,
        (0 | 1, Tag::Sequence) => Some((pkcs8(second, fields)?, Layout::Pkcs8)),
        (1, Tag::OctetString) => Some((sec1(second.value(), fields, None)?, Layout::Sec1)),
        (3, Tag::Sequence) => Some((pkcs12(second, whole)?, Layout::Pkcs12)),
        _ => None,
    }
}

/// RSAPrivateKey of RFC 8017: n, e, d, p, q, d mod p-1, d mod q-1, q^-1 mod p, and more primes where the version is 1.
fn pkcs1<'a>(version: u64, modulus: AnyRef<'a>, mut fields: Fields<'a>, whole: &[u8]) -> Option<FoundKey> {
    let mut found = vec![modulus];
    found.extend(fields.by_ref().take(7));
    let numbers: Option<Vec<Number>> = found.iter().map(|&field| number(field)).collect();
    let numbers: [Number; 8] = numbers?.try_into().ok()?;
    let proven = RsaNumbers::from_found(&numbers).filter(RsaNumbers::prove);
    let proven = proven.or_else(|| {
        let values: Vec<&[u8]> = found.iter().map(|field| field.value()).collect();
        fragment::recover(&values)
    });
    match proven {
        Some(key) => key.into_found(Evidence::Proven),
        None if version == 1 && fields.next().is_some() => many_primes(&numbers, whole),
        None => unfitting(&numbers, whole),
    }
}

/// OpenSSL's own structure for DSA keys, which no standard has: p, q, g, y, x after the version, proven by y = g^x (mod p).
fn dsa(modulus: AnyRef<'_>, fields: Fields<'_>) -> Option<FoundKey> {
    let rest: Option<Vec<Number>> = fields.map(number).collect();
    let [q, g, y, x] = <[Number; 4]>::try_from(rest?).ok()?;
    let numbers = dsa::Numbers { p: number(modulus)?, q: Some(q), g, y: Some(y), x };
    dsa::dsa_key(&numbers)
}

/// A PKCS#8 DSA key: p, q and g are the algorithm's parameters, x is the key.
fn dsa_of(parameters: Option<AnyRef<'_>>, x: &[u8]) -> Option<FoundKey> {
    let group: Option<Vec<Number>> = Fields(parameters?.value()).map(number).collect();
    let [p, q, g] = <[Number; 3]>::try_from(group?).ok()?;
    dsa::dsa_key(&dsa::Numbers { p, q: Some(q), g, y: None, x: number(Fields(x).next()?)? })
}

/// A key of three primes or more: known by its public key, not computed.
fn many_primes(numbers: &[Number; 8], whole: &[u8]) -> Option<FoundKey> {
    let [n, e, d, p, q, ..] = numbers;
    let fits = rsa::is_public_key(n, e) && p.bits() >= 128 && n.is_multiple_of(p) && n.is_multiple_of(q);
    let spki = rsa::spki_sha256(&n.to_be(), &e.to_be()).filter(|_| fits)?;
    let number =
        |piece, number: &Number| Part { piece, kind: PartKind::Number, bytes: SecretBytes::new(number.to_be()) };
    let mut parts = vec![Part { piece: Piece::Whole, kind: PartKind::Bytes, bytes: SecretBytes::new(whole) }];
    parts.extend([number(Piece::P, p), number(Piece::Q, q), number(Piece::D, d)]);
    let public = PublicKey::rsa(n, e)?.identity();
    let secret = Secret::key_pair(&spki, parts);
    Some(FoundKey { rule: rsa::RULE, evidence: Evidence::Parsed, severity: None, public, secret })
}

/// A structure with the sizes of a key whose numbers do not fit together: some of it was overwritten, so even its public
/// half cannot be trusted.
fn unfitting(numbers: &[Number; 8], whole: &[u8]) -> Option<FoundKey> {
    let [n, e, d, primes @ ..] = numbers;
    let half = |number: &Number| number.bits().abs_diff(n.bits() / 2) <= n.bits() / 16;
    let sane = rsa::is_public_key(n, e) && d.bits().abs_diff(n.bits()) <= n.bits() / 16 && primes.iter().all(half);
    if !sane {
        return None;
    }
    let context = vec!["its numbers do not fit together: some of it was overwritten".to_owned()];
    let public = PublicIdentity { kind: format!("RSA-{}", n.bits()), context, ..PublicIdentity::default() };
    let secret = Secret::bytes(whole);
    Some(FoundKey { rule: rsa::RULE, evidence: Evidence::Parsed, severity: None, public, secret })
}

/// PrivateKeyInfo of RFC 5208 and OneAsymmetricKey of RFC 5958.
fn pkcs8(algorithm: AnyRef<'_>, mut fields: Fields<'_>) -> Option<FoundKey> {
    let algorithm: AlgorithmIdentifierRef<'_> = algorithm.decode_as().ok()?;
    let inner = octets(fields.next()?)?;
    match algorithm.oid {
        RSA | RSA_PSS => private_key(inner).filter(|key| key.layout == Layout::Pkcs1).map(|key| key.key),
        EC => {
            let mut inner = Fields::inside(inner)?;
            let version = number(inner.next()?)?.to_u64()?;
            let scalar = octets(inner.next()?).filter(|_| version == 1)?;
            sec1(scalar, inner, algorithm.parameters.map(curve_of))
        }
        edwards::ED25519 => edwards::ed25519_key(octets(Fields(inner).next()?)?, public_key(fields)),
        edwards::X25519 => edwards::x25519_key(octets(Fields(inner).next()?)?, public_key(fields)),
        dsa::DSA => dsa_of(algorithm.parameters, inner).or_else(|| other(dsa::DSA, inner)),
        oid => other(oid, inner),
    }
}

/// The public key of field \[1\]: a BIT STRING, implicitly tagged in PKCS#8 and explicitly in SEC 1; some writers of PKCS#8
/// do it explicitly too.
fn public_key(mut fields: Fields<'_>) -> Option<&[u8]> {
    let field = fields.find(|field| matches!(field.tag(), Tag::ContextSpecific { number, .. } if number.0 == 1))?;
    let bits = match field.tag().is_constructed() {
        true => Fields(field.value()).next().filter(|bits| bits.tag() == Tag::BitString)?.value(),
        false => field.value(),
    };
    bits.split_first().filter(|(unused, _)| **unused == 0).map(|(_, key)| key)
}

/// What an algorithm's parameters or SEC 1's field \[0\] say of the curve: its name, or `None` where it is spelled out.
fn curve_of(parameters: AnyRef<'_>) -> Option<ObjectIdentifier> {
    parameters.decode_as().ok()
}

/// ECPrivateKey of SEC 1 and RFC 5915, after version and scalar. `curve` is what an enclosing structure says of the curve.
fn sec1(scalar: &[u8], fields: Fields<'_>, curve: Option<Option<ObjectIdentifier>>) -> Option<FoundKey> {
    let own =
        Fields(fields.0).find(|field| matches!(field.tag(), Tag::ContextSpecific { number, .. } if number.0 == 0));
    let curve = curve.or_else(|| own.and_then(|field| Fields(field.value()).next()).map(curve_of));
    let public = public_key(fields);
    match curve.flatten() {
        Some(curve) => ec::ec_key(curve, scalar, public),
        None => ec::unnamed_curve(scalar, public),
    }
}

/// A PKCS#8 key of an algorithm that is not computed here: DSA, DH, Ed448, post-quantum keys.
fn other(oid: ObjectIdentifier, inner: &[u8]) -> Option<FoundKey> {
    if inner.len() < 16 {
        return None;
    }
    let dotted = oid.to_string();
    let known = OTHER_ALGORITHMS.iter().find(|(known, _)| *known == dotted).map(|(_, name)| *name);
    let kind = known.or_else(|| const_oid::db::DB.by_oid(&oid)).map_or(dotted, str::to_owned);
    Some(parsed("private-key", &kind, inner))
}

/// EncryptedPrivateKeyInfo of RFC 5208: an algorithm with its parameters and the ciphertext.
fn encrypted(algorithm: AnyRef<'_>, mut fields: Fields<'_>) -> Option<FoundKey> {
    let oid = Fields(algorithm.value()).next().filter(|oid| oid.tag() == Tag::ObjectIdentifier)?.value();
    let encrypts = PBE_ARCS.iter().any(|arc| oid.starts_with(arc)) && !NOT_ENCRYPTION.contains(&oid);
    let ciphertext = octets(fields.next()?)?;
    (encrypts && ciphertext.len() >= 16 && fields.is_empty()).then(|| parsed("encrypted-private-key", "", ciphertext))
}

/// PFX of RFC 7292, after its version: the content's type, the content, and a MAC where there is one.
fn pkcs12(content: AnyRef<'_>, whole: &[u8]) -> Option<FoundKey> {
    let mut content = Fields(content.value());
    let kind = content.next().filter(|kind| kind.tag() == Tag::ObjectIdentifier)?;
    let known = PKCS7_CONTENTS.contains(&kind.value()) && content.next().is_some();
    known.then(|| parsed("pkcs12-keystore", "", whole))
}

fn parsed(rule: &'static str, kind: &str, secret: &[u8]) -> FoundKey {
    let public = PublicIdentity { kind: kind.to_owned(), ..PublicIdentity::default() };
    FoundKey { rule, evidence: Evidence::Parsed, severity: None, public, secret: Secret::bytes(secret) }
}

/// Every rule that this folder can make findings of.
#[must_use]
pub fn rules() -> Vec<Rule> {
    use Severity::{Critical, High, Low};
    let replace = "Make a new key pair, replace this one wherever it is installed, and have every certificate on it revoked \
                   and reissued. Who holds the private key can pose as its owner until then.";
    let all = [
        (
            rsa::RULE,
            "RSA private key",
            Critical,
            "The private half of an RSA key pair: its primes, its private exponent, or a structure that holds them.",
            replace,
        ),
        (
            fragment::RULE,
            "Fragment of an RSA private key",
            High,
            "Consecutive DER INTEGERs with the sizes of an RSA private key's numbers whose enclosing structure is gone and \
             which are too few, or too damaged, to be proven.",
            "Find out which key the process used, and replace it: half of the bits of one prime are enough to compute the \
             rest.",
        ),
        (
            ec::RULE,
            "Elliptic-curve private key",
            Critical,
            "The private scalar of a key pair on an elliptic curve, for signatures (ECDSA) or key agreement (ECDH).",
            replace,
        ),
        (
            "ed25519-private-key",
            "Ed25519 private key",
            Critical,
            "The seed of an Ed25519 signing key, as SSH, TLS and code signing use it.",
            replace,
        ),
        (
            "x25519-private-key",
            "X25519 private key",
            Critical,
            "The secret half of an X25519 key-agreement pair, as WireGuard, HPKE and age use it.",
            "Make a new key pair and replace the public key at every peer. Traffic that was recorded before and has no \
             forward secrecy must be taken as read.",
        ),
        (
            "private-key",
            "Private key of another algorithm",
            Critical,
            "A DSA or Diffie-Hellman key, or a key of an algorithm that is recognised by its name only: Ed448, a \
             post-quantum scheme.",
            replace,
        ),
        (
            "encrypted-private-key",
            "Encrypted private key",
            Low,
            "A PKCS#8 private key under a password. It is as safe as the password, which may be guessed offline, or stand \
             elsewhere in the same dump.",
            "Replace the key if its password is short, shared, or may have been in the memory of this process; otherwise \
             change the password, and keep the encrypted key from leaving again.",
        ),
        (
            "pkcs12-keystore",
            "PKCS#12 key store",
            High,
            "A PKCS#12 (PFX) file: certificates and, under a password that is often weak or empty, their private keys.",
            "Replace every key in the store and have its certificates revoked, unless its password is strong and was not \
             in the memory of this process.",
        ),
    ];
    all.into_iter().map(|(id, title, severity, about, remedy)| Rule::new(id, title, severity, about, remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{element, noise, rsa_key};
    use ::rsa::pkcs1::EncodeRsaPublicKey as _;
    use ::rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
    use sha2::{Digest as _, Sha256};

    #[test]
    fn an_rsa_key_is_named_by_the_hash_of_its_public_key_as_other_tools_write_it() {
        let key = rsa_key(1024);
        let public = key.to_public_key().to_public_key_der().unwrap();
        let parsed = private_key(key.to_pkcs8_der().unwrap().as_bytes()).unwrap();
        let hash = super::super::hex(&Sha256::digest(public.as_bytes()));
        assert_eq!(parsed.key.public.spki_sha256, Some(hash));
        let (n, e, len) = rsa_public(&[public.as_bytes(), &noise(9, 1)].concat()).unwrap();
        assert_eq!((len, e.as_slice()), (public.as_bytes().len(), [1, 0, 1].as_slice()));
        let bare = key.to_public_key().to_pkcs1_der().unwrap();
        assert_eq!(rsa_public(bare.as_bytes()), Some((n, e, bare.as_bytes().len())));
    }

    #[test]
    fn rsassa_pss_is_rsa() {
        let der = rsa_key(512).to_pkcs8_der().unwrap();
        let plain = private_key(der.as_bytes()).unwrap();
        let at = memchr::memmem::find(der.as_bytes(), b"\x86\xf7\x0d\x01\x01\x01").unwrap();
        let mut pss = der.as_bytes().to_vec();
        pss[at + 5] = 10;
        let pss = private_key(&pss).unwrap();
        assert_eq!(pss.key.secret.identity(), plain.key.secret.identity());
        assert_eq!(pss.key.evidence, Evidence::Proven);
    }

    fn rfc8410(oid: u8, version: u8, rest: &[u8]) -> Vec<u8> {
        let algorithm = element(0x30, &[&[6, 3, 0x2b, 0x65, oid]]);
        let seed = element(4, &[&element(4, &[&noise(32, 7)])]);
        element(0x30, &[&[2, 1, version], &algorithm, &seed, rest])
    }

    #[test]
    fn edwards_keys_are_proven_where_the_public_key_stands_beside() {
        let seed: [u8; 32] = noise(32, 7).try_into().unwrap();
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let implicit = element(0x81, &[&[0], &public]);
        let explicit = element(0xa1, &[&element(3, &[&[0], &public])]);
        for beside in [implicit, explicit] {
            let key = private_key(&rfc8410(112, 1, &beside)).unwrap().key;
            assert_eq!((key.rule, key.evidence), ("ed25519-private-key", Evidence::Proven));
        }
        let alone = private_key(&rfc8410(112, 0, &[])).unwrap().key;
        assert_eq!((alone.rule, alone.evidence), ("ed25519-private-key", Evidence::Parsed));
        assert_eq!(private_key(&rfc8410(110, 0, &[])).unwrap().key.rule, "x25519-private-key");
        assert_eq!(private_key(&rfc8410(113, 0, &[])).unwrap().key.public.kind, "Ed448");
    }

    #[test]
    fn a_key_of_three_primes_is_parsed() {
        let primes: Vec<Number> = [rsa_key(512), rsa_key(512)].iter().flat_map(primes_of).take(3).collect();
        let [p, q, r] = &primes[..] else { panic!() };
        let (n, e) = (p.times(q).times(r), Number::from(65537));
        let orders: Vec<Number> = primes.iter().map(|p| p.minus_one().unwrap()).collect();
        let d = e.inverse(&orders[0].times(&orders[1]).times(&orders[2])).unwrap();
        let int = |n: &Number| element(2, &[&[0][..usize::from(n.bits().is_multiple_of(8))], &n.to_be()]);
        let all = [&n, &e, &d, p, q, &d.rem(&orders[0]).unwrap(), &d.rem(&orders[1]).unwrap()].map(int).concat();
        let more = element(0x30, &[&element(0x30, &[&int(r), &int(&d.rem(&orders[2]).unwrap()), &int(p)])]);
        let der = element(0x30, &[&[2, 1, 1], &all, &int(&q.inverse(p).unwrap()), &more]);
        let key = private_key(&der).unwrap().key;
        assert_eq!((key.evidence, key.public.kind), (Evidence::Parsed, format!("RSA-{}", n.bits())));
    }

    fn primes_of(key: &::rsa::PrivateKey) -> Vec<Number> {
        use ::rsa::traits::PrivateKeyParts as _;
        key.primes().iter().map(|p| Number::from_be(&p.to_be_bytes())).collect()
    }

    #[test]
    fn a_dsa_key_is_proven_by_its_public_number() {
        let (p, q, g) = (noise(128, 1), noise(20, 2), noise(100, 3));
        let (p, q) = ([&p[..127], &[p[127] | 1]].concat(), [&[0x7f], &q[..]].concat());
        let x = noise(20, 4);
        let number = Number::from_be;
        let y = number(&g).pow_mod(&number(&x), &number(&p)).unwrap().to_be();
        let der = |y: &[u8]| {
            let ints = [&p, &q, &g, y, &x].map(|value| element(2, &[&[0], value])).concat();
            element(0x30, &[&[2, 1, 0], &ints])
        };
        let key = private_key(&der(&y)).unwrap().key;
        assert_eq!((key.rule, key.evidence), ("private-key", Evidence::Proven));
        assert!(private_key(&der(&g)).is_none());
    }

    #[test]
    fn every_rule_that_a_key_names_is_declared_once() {
        let mut ids: Vec<String> = rules().into_iter().map(|rule| rule.id).collect();
        let declared = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), declared);
        for id in [rsa::RULE, ec::RULE, fragment::RULE, "ed25519-private-key", "x25519-private-key", "private-key"] {
            assert!(ids.iter().any(|known| known == id), "{id}");
        }
    }
}
