//! The signed form of a receipt: a DSSE envelope (Dead Simple Signing Envelope, protocol version 1) around the statement.
//!
//! What is signed is the pre-authentication encoding of the payload's type and bytes, so that the bytes that are read are
//! the bytes that were signed and no canonical form of JSON is needed.

use std::io::{self, Write};

use base64ct::{Base64, Base64Url, Encoding as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::redact::receipt::keys;

/// The type of a payload that is an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An envelope as it stands in the file.
#[derive(Debug, Deserialize, Serialize)]
pub struct Envelope {
    /// What the payload is.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// The statement in base64.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<Signed>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Signed {
    /// The id of the key that made it: see [`keys::id`].
    pub keyid: String,
    /// The 64 bytes of an Ed25519 signature in base64.
    pub sig: String,
}

impl Envelope {
    /// An envelope around `payload`, signed.
    #[must_use]
    pub fn sign(payload: &[u8], key: &SigningKey) -> Self {
        let sig = key.sign(&encoded(PAYLOAD_TYPE, payload)).to_bytes();
        let signed = Signed { keyid: keys::id(&key.verifying_key()), sig: Base64::encode_string(&sig) };
        let payload = Base64::encode_string(payload);
        Self { payload_type: PAYLOAD_TYPE.to_owned(), payload, signatures: vec![signed] }
    }

    /// Writes it in one line.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// The statement's bytes; the specification allows both alphabets.
    ///
    /// # Errors
    /// What is wrong.
    pub fn payload(&self) -> Result<Vec<u8>, String> {
        let decoded = Base64::decode_vec(&self.payload).or_else(|_| Base64Url::decode_vec(&self.payload));
        decoded.map_err(|_| "the payload of the envelope is no base64".to_owned())
    }
}

/// Whether one of `signatures` over `payload` is by `key`.
///
/// # Errors
/// Why not.
pub fn check(payload: &[u8], signatures: &[Signed], key: &VerifyingKey) -> Result<(), String> {
    let id = keys::id(key);
    let ours: Vec<_> = signatures.iter().filter(|signed| signed.keyid == id).collect();
    if ours.is_empty() {
        let others: Vec<&str> = signatures.iter().map(|signed| signed.keyid.as_str()).collect();
        return Err(format!("it is signed by key {}, not by key {id}", others.join(", ")));
    }
    let message = encoded(PAYLOAD_TYPE, payload);
    let holds = |signed: &&Signed| {
        let sig = Base64::decode_vec(&signed.sig).ok().and_then(|sig| Signature::from_slice(&sig).ok());
        sig.is_some_and(|sig| key.verify_strict(&message, &sig).is_ok())
    };
    let text = "the signature does not fit: the statement or the signature was changed, or another key signed it";
    if ours.iter().any(holds) { Ok(()) } else { Err(text.to_owned()) }
}

/// The pre-authentication encoding: `DSSEv1`, then the length and the bytes of the type and of the payload.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the DSSE specification (protocol.md, "Test vectors").
    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let text = encoded("http://example.com/HelloWorld", b"hello world");
        assert_eq!(text, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_signature_holds_for_its_key_and_its_bytes_only() {
        let (key, other) = (SigningKey::from_bytes(&rand::random()), SigningKey::from_bytes(&rand::random()));
        let envelope = Envelope::sign(b"{}", &key);
        let payload = envelope.payload().unwrap();
        check(&payload, &envelope.signatures, &key.verifying_key()).unwrap();
        assert!(check(b"{ }", &envelope.signatures, &key.verifying_key()).unwrap_err().contains("does not fit"));
        let told = check(&payload, &envelope.signatures, &other.verifying_key()).unwrap_err();
        assert!(told.contains("not by key"), "{told}");
        let renamed = Signed { keyid: keys::id(&other.verifying_key()), ..envelope.signatures[0].clone() };
        assert!(check(&payload, &[renamed], &other.verifying_key()).is_err());
    }
}
