//! Only planned bytes differ, and they are what the plan says.

use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::image::Image;
use crate::redact::prove::{Case, Check};
use crate::redact::write::read;
use crate::scan::Progress;

/// Bytes that are compared at once.
const STEP: usize = 1 << 20;

/// Whether both files have one length.
pub fn same_size(old: &Image, new: &Image) -> Check {
    const NAME: &str = "same-size";
    if old.len() == new.len() {
        return Check::holds(NAME, format!("{} bytes", old.len()));
    }
    Check::fails(NAME, format!("{} bytes before, {} bytes after", old.len(), new.len()))
}

/// Whether the new file is the old one with the plan laid over it, byte for byte, and both are still what they were when
/// the file was written: the new one by its digest, the old one because it agrees with the new one where nothing was
/// planned, and by a digest where something was.
///
/// # Errors
/// When a file cannot be read.
pub fn planned_only(case: &Case<'_>, new: &Image, progress: &dyn Progress) -> Result<Check> {
    const NAME: &str = "planned-bytes-only";
    progress.pass("compare", case.old.len());
    if case.plan.len() != case.old.len() || case.old.len() != new.len() {
        return Ok(Check::fails(NAME, "the lengths differ"));
    }
    let (mut covered, mut after) = (Sha256::new(), Sha256::new());
    let (mut ours, mut theirs) = (vec![0; STEP], vec![0; STEP]);
    let (mut at, mut different, mut first) = (0, 0_u64, None);
    while at < case.old.len() {
        let want = usize::try_from(case.old.len() - at).unwrap_or(STEP).min(STEP);
        let (ours, theirs) = (ours.get_mut(..want).unwrap_or_default(), theirs.get_mut(..want).unwrap_or_default());
        read(case.old, at, ours)?;
        case.plan.covered(at, ours, |part| covered.update(part));
        case.plan.paint(at, ours);
        read(new, at, theirs)?;
        after.update(&*theirs);
        if ours != theirs {
            let unlike = ours.iter().zip(&*theirs).enumerate().filter(|(_, (a, b))| a != b);
            different += unlike.clone().count() as u64;
            first = first.or(unlike.map(|(i, _)| at + i as u64).next());
        }
        at += want as u64;
        progress.advance(want as u64);
    }
    let hashes: ([u8; 32], [u8; 32]) = (covered.finalize().into(), after.finalize().into());
    Ok(match first {
        Some(first) => Check::fails(NAME, format!("{different} bytes are not as planned, the first at {first:#x}")),
        None if hashes.0 != case.written.covered => {
            Check::fails(NAME, "the original changed since it was read for writing: what was overwritten is another")
        }
        None if hashes.1 != case.written.after => Check::fails(NAME, "the SHA-256 of the written file is another"),
        None => {
            let (edits, bytes) = (case.plan.edits().len(), case.plan.bytes());
            Check::holds(NAME, format!("{bytes} bytes in {edits} edits; all others are equal"))
        }
    })
}
