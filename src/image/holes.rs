//! Holes of sparse files: a core is as long as the memory of its process, and mostly nothing.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{SeekFrom, seek};

use crate::span::Span;

/// Holes that are worth knowing; shorter ones are read as the zeros that they are.
const SHORTEST: u64 = 128 << 10;

/// Bytes that are left out where a file is written and all of them are zero: so many that the file does not fall to pieces,
/// and few enough that what a process has reserved and never used takes no space.
pub const BLOCK: usize = 64 << 10;

/// A block of nothing.
static NOTHING: [u8; BLOCK] = [0; BLOCK];

/// Whether a block, or what there is of one at an end, is all zero.
#[must_use]
pub fn is_nothing(block: &[u8]) -> bool {
    NOTHING.starts_with(block)
}

/// Holes that are kept at most: what is beyond is read.
const MOST: usize = 100_000;

/// The holes of a file of `len` bytes, in order. A file system that does not tell has none.
pub(super) fn of(file: &File, len: u64) -> Vec<Span> {
    let stored = file.metadata().map_or(u64::MAX, |meta| meta.blocks().saturating_mul(512));
    let mut holes = Vec::new();
    let mut at = 0;
    while stored < len && at < len && holes.len() < MOST {
        let Some(start) = seek(file, SeekFrom::Hole(at)).ok().filter(|&start| start < len) else { break };
        // No data behind a hole is told as an error: then it reaches to the end.
        let end = seek(file, SeekFrom::Data(start)).map_or(len, |end| end.min(len));
        if end - start >= SHORTEST {
            holes.push(Span::between(start, end));
        }
        if end <= at {
            break;
        }
        at = end;
    }
    holes
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::image::Image;

    #[test]
    fn holes_are_told_and_read_as_zeros() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"here", 32 << 20).unwrap();
        let image = Image::from_file("sparse".into(), file, 64 << 20);
        // Not every file system has holes; where there are none, nothing is told.
        if image.is_hole(Span::new(0, 1 << 20)) {
            assert!(image.is_hole(Span::new(40 << 20, 24 << 20)));
            assert!(!image.is_hole(Span::new((32 << 20) - 100, 200)));
        }
        assert_eq!(image.bytes(32 << 20, 4).unwrap(), b"here");
        assert_eq!(image.bytes((64 << 20) - 4, 100).unwrap(), [0; 4]);
    }

    #[test]
    fn a_file_without_holes_has_none() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&vec![7; 1 << 20], 0).unwrap();
        assert!(of(&file, 1 << 20).is_empty());
    }
}
