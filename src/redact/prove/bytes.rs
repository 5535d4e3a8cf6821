//! Only planned bytes differ, and they are what the plan says.

use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::image::Image;
use crate::parallel;
use crate::redact::prove::{Case, Check};
use crate::redact::write::read;
use crate::scan::Progress;

/// Bytes that are compared at once.
const STEP: usize = 4 << 20;

/// What two files are, as they were read to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256 of the original.
    pub before: [u8; 32],
    /// SHA-256 of the written file.
    pub after: [u8; 32],
}

/// Digests of two files that mostly begin alike: one, as long as they do.
struct Both {
    before: Sha256,
    after: Option<Sha256>,
}

impl Both {
    fn update(&mut self, before: &[u8], after: &[u8]) {
        if self.after.is_none() && before != after {
            self.after = Some(self.before.clone());
        }
        let ours = &mut self.before;
        match &mut self.after {
            None => ours.update(before),
            Some(theirs) => drop(parallel::both(|| ours.update(before), || theirs.update(after))),
        }
    }

    fn done(self) -> Digests {
        let after = self.after.unwrap_or_else(|| self.before.clone());
        Digests { before: self.before.finalize().into(), after: after.finalize().into() }
    }
}

/// Whether both files have one length.
pub fn same_size(old: &Image, new: &Image) -> Check {
    const NAME: &str = "same-size";
    if old.len() == new.len() {
        return Check::holds(NAME, format!("{} bytes", old.len()));
    }
    Check::fails(NAME, format!("{} bytes before, {} bytes after", old.len(), new.len()))
}

/// Whether the new file is the old one with the plan laid over it, byte for byte, and the old one still is what it was when
/// the file was written: because it agrees with the new one where nothing was planned, and by a digest where something was.
/// With it come the digests of what was read here; so they are those of the files as they are.
///
/// # Errors
/// When a file cannot be read.
pub fn planned_only(case: &Case<'_>, new: &Image, progress: &dyn Progress) -> Result<(Check, Digests)> {
    const NAME: &str = "planned-bytes-only";
    progress.pass("compare", case.old.len());
    if case.plan.len() != case.old.len() || case.old.len() != new.len() {
        return Ok((Check::fails(NAME, "the lengths differ"), each(case.old, new)?));
    }
    let (mut covered, mut digests) = (Sha256::new(), Both { before: Sha256::new(), after: None });
    let (mut ours, mut theirs) = (vec![0; STEP], vec![0; STEP]);
    let (mut at, mut different, mut first) = (0, 0_u64, None);
    while at < case.old.len() {
        let want = usize::try_from(case.old.len() - at).unwrap_or(STEP).min(STEP);
        let (ours, theirs) = (ours.get_mut(..want).unwrap_or_default(), theirs.get_mut(..want).unwrap_or_default());
        read(case.old, at, ours)?;
        read(new, at, theirs)?;
        digests.update(ours, theirs);
        case.plan.covered(at, ours, |part| covered.update(part));
        case.plan.paint(at, ours);
        if ours != theirs {
            let unlike = ours.iter().zip(&*theirs).enumerate().filter(|(_, (a, b))| a != b);
            different += unlike.clone().count() as u64;
            first = first.or(unlike.map(|(i, _)| at + i as u64).next());
        }
        at += want as u64;
        progress.advance(want as u64);
    }
    let covered: [u8; 32] = covered.finalize().into();
    let check = match first {
        Some(first) => Check::fails(NAME, format!("{different} bytes are not as planned, the first at {first:#x}")),
        None if covered != case.written.covered => {
            Check::fails(NAME, "the original changed since it was read for writing: what was overwritten is another")
        }
        None => {
            let (edits, bytes) = (case.plan.edits().len(), case.plan.bytes());
            Check::holds(NAME, format!("{bytes} bytes in {edits} edits; all others are equal"))
        }
    };
    Ok((check, digests.done()))
}

/// The digests of two files that cannot be compared.
fn each(old: &Image, new: &Image) -> Result<Digests> {
    let (before, after) = parallel::both(|| sha256(old), || sha256(new));
    Ok(Digests { before: before?, after: after? })
}

/// SHA-256 of an image.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(image: &Image) -> Result<[u8; 32]> {
    let (mut digest, mut buffer, mut at) = (Sha256::new(), vec![0; STEP], 0);
    while at < image.len() {
        let want = usize::try_from(image.len() - at).unwrap_or(STEP).min(STEP);
        let bytes = buffer.get_mut(..want).unwrap_or_default();
        read(image, at, bytes)?;
        digest.update(&*bytes);
        at += want as u64;
    }
    Ok(digest.finalize().into())
}
