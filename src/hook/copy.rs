//! Copies of our own: bytes from a file or a pipe into a new file, in which runs of zeros are holes.

use std::fs::File;
use std::io::{self, Read};

use crate::hook::place::Folder;
use crate::image::{BLOCK, is_nothing, write_at};

/// Bytes that are read at once.
const STEP: usize = 1 << 20;
/// Bytes that stay free on the disk.
const RESERVE: u64 = 256 << 20;
/// Bytes that are written between two looks at the free space.
const LOOK: u64 = 64 << 20;

/// Why a copy is none.
#[derive(Debug)]
pub enum Failed {
    /// There is more to copy than may be, or no space for it.
    TooMuch(String),
    /// Something could not be read or written.
    Io(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
            return Self::TooMuch(format!("the disk is full: {error}"));
        }
        Self::Io(error)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooMuch(reason) => f.write_str(reason),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

/// Copies all of `from` into `to`, an empty file in `folder`, and makes it last. At most `most` bytes are taken.
///
/// # Errors
/// [`Failed`]; then `to` holds a part.
pub fn copy(from: &mut dyn Read, to: &File, folder: &Folder, most: u64) -> Result<u64, Failed> {
    let (mut buffer, mut len, mut written) = (vec![0; STEP], 0_u64, LOOK);
    loop {
        if written >= LOOK {
            let free = folder.free()?;
            if free < RESERVE {
                return Err(Failed::TooMuch(format!("only {free} bytes are free in {}", folder.path().display())));
            }
            written = 0;
        }
        let got = fill(from, &mut buffer)?;
        let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        if len + got as u64 > most {
            return Err(Failed::TooMuch(format!(
                "it has more than {most} bytes, which is the most that one dump may have"
            )));
        }
        for block in bytes.chunks(BLOCK) {
            if !is_nothing(block) {
                write_at(to, block, len)?;
                written += block.len() as u64;
            }
            len += block.len() as u64;
        }
    }
    to.set_len(len)?;
    to.sync_all()?;
    Ok(len)
}

/// Reads to the end and keeps nothing: whoever writes to a pipe waits until somebody has read it all.
pub fn drain(from: &mut dyn Read) {
    // An error is an end too: there is nobody to tell.
    let _ = io::copy(from, &mut io::sink());
}

/// Fills the buffer, or takes what there is to the end.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(got) => done += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_copy_is_the_same_and_its_zeros_take_no_space() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::private(&place.path().canonicalize().unwrap().join("state")).unwrap();
        let mut bytes = vec![0_u8; 5 << 20];
        bytes[3_000_000..3_000_010].fill(7);
        bytes.extend([1, 2, 0, 0]);
        let to = folder.create(OsStr::new("copy")).unwrap();
        assert_eq!(copy(&mut &bytes[..], &to, &folder, u64::MAX).unwrap(), bytes.len() as u64);
        let path = folder.path().join("copy");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert!(path.metadata().unwrap().blocks() * 512 < 1 << 20);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::private(&place.path().canonicalize().unwrap().join("state")).unwrap();
        let to = folder.create(OsStr::new("copy")).unwrap();
        assert!(matches!(copy(&mut &[1_u8; 100][..], &to, &folder, 99), Err(Failed::TooMuch(_))));
    }
}
