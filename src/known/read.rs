//! Reading the files that name known things. What is secret is read only from a file that nobody else can read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Thing, parse};
use crate::error::{Error, Result};

/// Bytes of the longest file: all certificates of the world's authorities take 1 MB.
const LONGEST: u64 = 8 << 20;

/// What a file is said to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Certificates and keys.
    Keys,
    /// Private keys, and lines of which each is a secret.
    Secrets,
}

/// The things that a file names.
///
/// # Errors
/// When it cannot be read, is too long, holds what is none of these, or holds secrets and others than its owner may read it.
pub fn read(path: &Path, content: Content) -> Result<Vec<Thing>> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(wrong(path, "it is no regular file"));
    }
    if meta.len() > LONGEST {
        let reason = format!("expected at most {LONGEST} bytes, found {}; split it into several files", meta.len());
        return Err(wrong(path, &reason));
    }
    let exposed = exposed(meta.mode(), meta.uid());
    if let Some(why) = exposed.as_deref().filter(|_| content == Content::Secrets) {
        return Err(wrong(path, &format!("it is to hold secrets, and {why}")));
    }
    // Room first: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
    let things = parse::things(&path.display().to_string(), &bytes, content).map_err(|reason| wrong(path, &reason))?;
    if let (Some(secret), Some(why)) = (things.iter().find(|thing| thing.secret.is_some()), exposed) {
        let place = secret.line.map_or_else(String::new, |line| format!(" on line {line}"));
        return Err(wrong(path, &format!("it holds a private key{place}, and {why}")));
    }
    Ok(things)
}

/// Who else may read or change a file of this mode and owner, and what to do about it.
fn exposed(mode: u32, owner: u32) -> Option<String> {
    let me = rustix::process::geteuid().as_raw();
    if mode & 0o077 != 0 {
        let mode = mode & 0o7777;
        return Some(format!(
            "others than its owner may read or change it: expected mode 0600, found {mode:04o}; use chmod 600"
        ));
    }
    (owner != me && me != 0).then(|| {
        format!(
            "it belongs to somebody else: expected user id {me}, found {owner}; use a copy of your own with mode 0600"
        )
    })
}

fn wrong(path: &Path, reason: &str) -> Error {
    Error::Known { path: path.display().to_string(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_can_read_is_not_exposed() {
        let me = rustix::process::geteuid().as_raw();
        for mode in [0o100_600, 0o400] {
            assert_eq!(exposed(mode, me), None);
        }
        for mode in [0o644, 0o640, 0o620, 0o601] {
            assert!(exposed(mode, me).unwrap().contains("chmod 600"), "{mode:o}");
        }
    }
}
