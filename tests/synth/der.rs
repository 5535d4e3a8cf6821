//! Writes key structures as DER from their numbers, without the crates that read them.
//!
//! Sources: RFC 8017 A.1 (RSA), RFC 5915 (EC), RFC 5958 (PKCS#8), RFC 8410 (Ed25519), RFC 5280 (SubjectPublicKeyInfo).

/// Object identifiers, as their content bytes.
pub mod oid {
    pub const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    pub const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
    pub const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
    pub const ED25519: &[u8] = b"\x2b\x65\x70";
}

/// Tag, length, content.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut length: Vec<u8> = content.len().to_be_bytes().iter().copied().skip_while(|&b| b == 0).collect();
    if content.len() < 128 {
        length = vec![content.len() as u8];
    } else {
        length.insert(0, 0x80 | length.len() as u8);
    }
    [&[tag], length.as_slice(), content].concat()
}

/// SEQUENCE of parts that are DER already.
pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// INTEGER of a number given most significant byte first.
pub fn integer(number: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = number.iter().copied().skip_while(|&b| b == 0).collect();
    if content.first().is_none_or(|&first| first >= 0x80) {
        content.insert(0, 0);
    }
    tlv(2, &content)
}

/// OCTET STRING.
pub fn octets(content: &[u8]) -> Vec<u8> {
    tlv(4, content)
}

/// The numbers of an RSA key, each most significant byte first.
#[derive(Clone)]
pub struct RsaNumbers {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    pub d: Vec<u8>,
    pub p: Vec<u8>,
    pub q: Vec<u8>,
    pub dp: Vec<u8>,
    pub dq: Vec<u8>,
    pub qinv: Vec<u8>,
}

/// RSAPrivateKey of PKCS#1.
pub fn pkcs1(key: &RsaNumbers) -> Vec<u8> {
    let numbers = [&key.n, &key.e, &key.d, &key.p, &key.q, &key.dp, &key.dq, &key.qinv];
    let parts: Vec<Vec<u8>> = [integer(&[0])].into_iter().chain(numbers.into_iter().map(|n| integer(n))).collect();
    sequence(&parts)
}

/// SubjectPublicKeyInfo of an RSA key.
pub fn rsa_spki(key: &RsaNumbers) -> Vec<u8> {
    let public = sequence(&[integer(&key.n), integer(&key.e)]);
    sequence(&[rsa_algorithm(), bit_string(&public)])
}

/// PrivateKeyInfo of PKCS#8 around an RSA key.
pub fn pkcs8_rsa(key: &RsaNumbers) -> Vec<u8> {
    sequence(&[integer(&[0]), rsa_algorithm(), octets(&pkcs1(key))])
}

/// ECPrivateKey of SEC 1 for P-256, with curve and public point.
pub fn sec1_p256(scalar: &[u8], point: &[u8]) -> Vec<u8> {
    let curve = tlv(0xa0, &tlv(6, oid::P256));
    sequence(&[integer(&[1]), octets(scalar), curve, tlv(0xa1, &bit_string(point))])
}

/// PrivateKeyInfo of PKCS#8 around a P-256 key; the curve is named outside, as OpenSSL does it.
pub fn pkcs8_p256(scalar: &[u8], point: &[u8]) -> Vec<u8> {
    let inner = sequence(&[integer(&[1]), octets(scalar), tlv(0xa1, &bit_string(point))]);
    sequence(&[integer(&[0]), ec_algorithm(), octets(&inner)])
}

/// SubjectPublicKeyInfo of a P-256 key.
pub fn p256_spki(point: &[u8]) -> Vec<u8> {
    sequence(&[ec_algorithm(), bit_string(point)])
}

/// PrivateKeyInfo of PKCS#8 around an Ed25519 seed.
pub fn pkcs8_ed25519(seed: &[u8]) -> Vec<u8> {
    sequence(&[integer(&[0]), sequence(&[tlv(6, oid::ED25519)]), octets(&octets(seed))])
}

/// SubjectPublicKeyInfo of an Ed25519 key.
pub fn ed25519_spki(public: &[u8]) -> Vec<u8> {
    sequence(&[sequence(&[tlv(6, oid::ED25519)]), bit_string(public)])
}

fn rsa_algorithm() -> Vec<u8> {
    sequence(&[tlv(6, oid::RSA), tlv(5, &[])])
}

fn ec_algorithm() -> Vec<u8> {
    sequence(&[tlv(6, oid::EC), tlv(6, oid::P256)])
}

fn bit_string(content: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], content].concat())
}
