//! Fresh keys: made anew at each run, so that no private key lies in the repository.

use elliptic_curve::sec1::ToSec1Point as _;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};

use super::der::{self, RsaNumbers};

/// An RSA key of `bits` bits.
pub fn rsa(bits: usize) -> RsaNumbers {
    let key = rsa::PrivateKey::new(&mut rand::rng(), bits).unwrap();
    let number = |number: &rsa::BoxedUint| {
        let bytes = number.to_be_bytes();
        bytes.iter().copied().skip_while(|&b| b == 0).collect::<Vec<u8>>()
    };
    let primes = key.primes();
    RsaNumbers {
        n: number(key.n().as_ref()),
        e: number(key.e()),
        d: number(key.d()),
        p: number(&primes[0]),
        q: number(&primes[1]),
        dp: number(key.dp().unwrap()),
        dq: number(key.dq().unwrap()),
        qinv: number(&key.crt_coefficient().unwrap()),
    }
}

/// A key pair that is a secret of 32 bytes and a public point.
#[derive(Clone)]
pub struct Pair {
    /// Scalar or seed.
    pub secret: [u8; 32],
    /// The point as its standard writes it: 65 bytes from 04 on for P-256, 32 bytes for Ed25519.
    pub public: Vec<u8>,
}

/// A P-256 key.
pub fn p256() -> Pair {
    loop {
        let secret: [u8; 32] = rand::random();
        if let Ok(key) = p256::SecretKey::from_slice(&secret) {
            return Pair { secret, public: key.public_key().to_sec1_point(false).as_bytes().to_vec() };
        }
    }
}

/// An Ed25519 key.
pub fn ed25519() -> Pair {
    let secret: [u8; 32] = rand::random();
    let key = ed25519_dalek::SigningKey::from_bytes(&secret);
    Pair { secret, public: key.verifying_key().to_bytes().to_vec() }
}

/// A password of 24 letters and digits.
pub fn password() -> String {
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    (0..24).map(|_| char::from(letters[usize::from(rand::random::<u16>()) % letters.len()])).collect()
}

impl Pair {
    /// PKCS#8 of a P-256 key.
    pub fn p256_pkcs8(&self) -> Vec<u8> {
        der::pkcs8_p256(&self.secret, &self.public)
    }
}
