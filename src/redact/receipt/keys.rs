//! Key files: made once, readable by their owner only, refused where others may read them.
//!
//! A signing key is PKCS#8 PEM, and its public half stands beside it as SubjectPublicKeyInfo PEM (`FILE.pub`), so that
//! other tools can check what it signed. A fingerprint key is one line of text.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::DecodePublicKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, KeypairBytes};
use ed25519_dalek::{SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::redact::draft::{self, Draft};
use crate::vault::{FingerprintKey, KEY_BYTES};

/// A longer file is no key.
const LONGEST: u64 = 16 << 10;

/// What the line of a fingerprint key begins with; the key follows in hexadecimal.
const FINGERPRINT: &str = "dumpscrub-fingerprint-key:1:";

/// Makes a signing key in the new file `path` and its public half in `path.pub`; tells that file and the key's id.
///
/// # Errors
/// [`Error::Key`] where one of them is there already: a key is never replaced. [`Error::Write`].
pub fn new_signing(path: &Path) -> Result<(PathBuf, String)> {
    let mut public = OsString::from(path);
    public.push(".pub");
    let public = PathBuf::from(public);
    refuse_present(path)?;
    refuse_present(&public)?;
    let key = SigningKey::from_bytes(&*random()?);
    // Without the public key in it, which is version 1 of PKCS#8: OpenSSL 3.0 does not read version 2.
    let private = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let encoded = private.to_pkcs8_pem(LineEnding::LF).map_err(|_| Error::Internal("encoding a key"))?;
    let spki = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| Error::Internal("encoding a key"))?;
    publish(path, encoded.as_bytes(), false)?;
    publish(&public, spki.as_bytes(), true)?;
    Ok((public, id(&key.verifying_key())))
}

/// Makes a fingerprint key in the new file `path` and tells its id.
///
/// # Errors
/// As for [`new_signing`].
pub fn new_fingerprint(path: &Path) -> Result<String> {
    refuse_present(path)?;
    let key = FingerprintKey::new(*random()?);
    let mut line = Zeroizing::new(String::with_capacity(FINGERPRINT.len() + 2 * KEY_BYTES + 1));
    line.push_str(FINGERPRINT);
    for byte in key.secret().expose() {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
        line.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    line.push('\n');
    publish(path, line.as_bytes(), false)?;
    Ok(key.id().to_owned())
}

/// The signing key in a file.
///
/// # Errors
/// [`Error::Key`] where others may read it or where it is no Ed25519 key.
pub fn read_signing(path: &Path) -> Result<SigningKey> {
    let text = read(path, true)?;
    let key = text.as_deref().and_then(|text| SigningKey::from_pkcs8_pem(text).ok());
    key.ok_or_else(|| wrong(path, "it is no Ed25519 private key in PKCS#8 PEM (dumpscrub key new signing makes one)"))
}

/// The public key in a file.
///
/// # Errors
/// [`Error::Key`] where it is no Ed25519 public key.
pub fn read_public(path: &Path) -> Result<VerifyingKey> {
    let text = read(path, false)?;
    let key = text.as_deref().and_then(|text| VerifyingKey::from_public_key_pem(text).ok());
    let key = key.filter(|key| !key.is_weak());
    key.ok_or_else(|| wrong(path, "it is no Ed25519 public key in PEM (the file that ends in .pub)"))
}

/// The fingerprint key in a file.
///
/// # Errors
/// [`Error::Key`] where others may read it or where it is none.
pub fn read_fingerprint(path: &Path) -> Result<FingerprintKey> {
    let text = read(path, true)?;
    let key = text.as_deref().and_then(|text| parse_fingerprint(text));
    key.ok_or_else(|| wrong(path, "it is no fingerprint key (dumpscrub key new fingerprint makes one)"))
}

/// The id that signatures name a key by: the SHA-256 of its SubjectPublicKeyInfo in hexadecimal, which is also the name
/// that the rest of this program knows keys by.
#[must_use]
pub fn id(key: &VerifyingKey) -> String {
    let spki = key.to_public_key_der().map(|der| der.into_vec()).unwrap_or_default();
    hex(&Sha256::digest(spki))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_fingerprint(text: &str) -> Option<FingerprintKey> {
    let digits = text.trim_end().strip_prefix(FINGERPRINT)?;
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    if digits.len() != 2 * KEY_BYTES {
        return None;
    }
    let mut digits = digits.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()));
    for byte in key.iter_mut() {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    Some(FingerprintKey::new(*key))
}

fn random() -> Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| Error::Internal("asking the system for random bytes"))?;
    Ok(bytes)
}

fn refuse_present(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(wrong(path, "it is there already, and a key is never replaced; choose another name")),
        Err(_) => Ok(()),
    }
}

fn publish(path: &Path, bytes: &[u8], for_all: bool) -> Result<()> {
    let draft = Draft::beside(path)?;
    let failed = |source| Error::Write { what: path.display().to_string(), source };
    draft.file().write_all(bytes).map_err(failed)?;
    if for_all {
        draft.share()?;
    }
    draft.publish(path, false)
}

/// The text of a key file; `None` where it is no text.
fn read(path: &Path, secret: bool) -> Result<Option<Zeroizing<String>>> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(wrong(path, "it is no regular file"));
    }
    if let Some(mode) = draft::open_to_others(&file).map_err(failed)?.filter(|_| secret) {
        let reason = format!("others than its owner may read or change it (mode {mode:04o}); use chmod 600");
        return Err(wrong(path, &reason));
    }
    let mut text = Zeroizing::new(String::with_capacity(1 << 12));
    match file.take(LONGEST).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn wrong(path: &Path, reason: &str) -> Error {
    Error::Key { path: path.display().to_string(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let (public, name) = new_signing(&path).unwrap();
        assert_eq!(id(&read_signing(&path).unwrap().verifying_key()), name);
        assert_eq!(id(&read_public(&public).unwrap()), name);
        assert!(matches!(new_signing(&path), Err(Error::Key { .. })));
        assert!(matches!(new_fingerprint(&path), Err(Error::Key { .. })));
        let path = folder.path().join("fingerprints");
        let name = new_fingerprint(&path).unwrap();
        assert_eq!(read_fingerprint(&path).unwrap().id(), name);
        assert!(matches!(read_signing(&path), Err(Error::Key { .. })));
        assert!(matches!(read_public(&path), Err(Error::Key { .. })));
    }

    #[test]
    fn a_line_that_is_no_key_is_refused() {
        for text in ["", FINGERPRINT, "dumpscrub-fingerprint-key:2:00"] {
            assert!(parse_fingerprint(text).is_none());
        }
        let good = format!("{FINGERPRINT}{}", "a5".repeat(32));
        assert!(parse_fingerprint(&good).is_some());
        assert!(parse_fingerprint(&good.replacen("a5", "x5", 1)).is_none());
        assert!(parse_fingerprint(&format!("{good}0")).is_none());
    }
}
