//! The spool: decoded bytes in a file without a name, in which runs of zeros are holes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crc32fast::Hasher;

use crate::container::Settings;
use crate::container::peel::show;
use crate::error::{Error, Result};
use crate::image::{Growing, Image, write_at};
use crate::span::Span;

/// Bytes that go from the decoder to the disk at once.
const STEP: usize = 1 << 20;
/// Steps that wait for the disk at most.
const WAITING: usize = 4;
/// A run of zeros of this length and alignment is left out of the file.
const BLOCK: usize = 64 << 10;
/// Zeros to compare with.
const ZEROS: &[u8] = &[0; BLOCK];
/// Bytes that are written between two looks at the disk's free space.
const LOOK: u64 = 64 << 20;

/// Decoded bytes, and why there are no more of them.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// How many bytes there are.
    pub len: u64,
    /// CRC-32 of them (the polynomial of zip and gzip).
    pub crc: u32,
    /// Why the rest is missing, where one is.
    pub cut: Option<String>,
    /// The number by which it was shown while it grew.
    pub number: Option<u64>,
}

impl Spool {
    /// Decodes `from` into a spool of at most `budget` bytes. The decoder and the one who writes work on threads of their
    /// own; `beside` is shown the spool while it grows.
    ///
    /// # Errors
    /// When there is no place for a spool or it cannot be written. A decoder that fails only ends the spool.
    pub fn fill(
        from: &mut (dyn Read + Send),
        budget: u64,
        settings: &Settings,
        beside: impl FnOnce(&Arc<Growing>),
    ) -> Result<Self> {
        let failed = |source| failed(&settings.folder, source);
        let file = create(&settings.folder).map_err(failed)?;
        let growing = Growing::new(file.try_clone().map_err(failed)?);
        let mut spool = Self { file, len: 0, crc: 0, cut: None, number: None };
        std::thread::scope(|scope| {
            let (full, filled) = sync_channel(WAITING);
            let (empty, emptied) = sync_channel(WAITING + 2);
            let decoder = scope.spawn(move || decode(from, &full, &emptied));
            let (ends, spool) = (Ends(&growing), &mut spool);
            let writer = scope.spawn(move || {
                // What this thread owns goes when it ends, also by a panic: then nobody waits for it any more.
                let (ends, empty) = (ends, empty);
                let written = spool.receive(filled, &empty, budget, settings, ends.0);
                (spool, written)
            });
            beside(&growing);
            let (decoded, written) = (decoder.join(), writer.join());
            let Ok((spool, written)) = written else { return Err(Error::Internal("writing the spool")) };
            if decoded.is_err() {
                spool.cut = Some("the decoder failed: this is a bug".to_owned());
            }
            written
        })?;
        spool.file.set_len(spool.len).map_err(failed)?;
        Ok(spool)
    }

    /// The spool as an image.
    #[must_use]
    pub fn image(self, origin: String) -> Image {
        Image::from_file(origin, self.file, self.len)
    }

    fn receive(
        &mut self,
        filled: Receiver<Step>,
        empty: &SyncSender<Vec<u8>>,
        budget: u64,
        settings: &Settings,
        growing: &Growing,
    ) -> Result<()> {
        let (mut crc, mut written) = (Hasher::new(), LOOK);
        for step in filled {
            match step {
                Step::Bytes(mut bytes) => {
                    let fits = usize::try_from(budget - self.len).unwrap_or(usize::MAX);
                    if bytes.len() > fits {
                        bytes.truncate(fits);
                        self.cut = Some(format!(
                            "it has more than {budget} bytes, which is more than may be unpacked of an input of this \
                             size"
                        ));
                    }
                    crc.update(&bytes);
                    written += self.put(&bytes, growing).map_err(|source| failed(&settings.folder, source))?;
                    let _ = empty.try_send(bytes);
                    if written >= LOOK && self.cut.is_none() {
                        self.cut = no_space(&settings.folder, settings.limits.reserve);
                        written = 0;
                    }
                    if self.cut.is_some() {
                        break;
                    }
                }
                Step::Failed(error) => self.cut = Some(error.to_string()),
            }
        }
        self.crc = crc.finalize();
        Ok(())
    }

    /// Appends `bytes`, and says how many of them take space.
    fn put(&mut self, bytes: &[u8], growing: &Growing) -> io::Result<u64> {
        let mut stored = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let zeros = leading(rest, true);
            let (_, behind) = rest.split_at(zeros);
            let (data, next) = behind.split_at(leading(behind, false));
            let hole = Span::new(self.len, zeros as u64);
            write_at(&self.file, data, hole.end())?;
            self.len = hole.end() + data.len() as u64;
            growing.grow(hole, self.len);
            stored += data.len() as u64;
            rest = next;
        }
        Ok(stored)
    }
}

/// Says that no more bytes come, when it goes.
struct Ends<'a>(&'a Growing);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Takes what `input` carries into a spool: what comes through a pipe. `beside` is shown it while it comes, unless it is a
/// container.
///
/// # Errors
/// [`Error::Empty`] when nothing came; [`Error::Spool`] when there is no space for it.
pub fn take(
    origin: &str,
    input: &mut (dyn Read + Send),
    settings: &Settings,
    beside: impl FnOnce(&Arc<Growing>),
) -> Result<Image> {
    let spool = Spool::fill(input, u64::MAX, settings, |growing| show(growing, beside))?;
    if let Some(reason) = spool.cut {
        return Err(failed(&settings.folder, io::Error::other(reason)));
    }
    match spool.len {
        0 => Err(Error::Empty { path: origin.into() }),
        _ => Ok(spool.image(origin.to_owned())),
    }
}

/// A file without a name that only its owner may read, for what is put together before it is shown.
///
/// # Errors
/// What the system says.
pub fn create(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

enum Step {
    Bytes(Vec<u8>),
    Failed(io::Error),
}

fn decode(from: &mut (dyn Read + Send), full: &SyncSender<Step>, emptied: &Receiver<Vec<u8>>) {
    loop {
        let mut bytes = emptied.try_recv().unwrap_or_default();
        bytes.resize(STEP, 0);
        let (got, end) = read_full(from, &mut bytes);
        bytes.truncate(got);
        if got > 0 && full.send(Step::Bytes(bytes)).is_err() {
            return;
        }
        match end {
            None => {}
            Some(Ok(())) => return,
            Some(Err(error)) => {
                let _ = full.send(Step::Failed(error));
                return;
            }
        }
    }
}

/// Fills `into`; where it cannot, also says why.
fn read_full(from: &mut dyn Read, into: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut got = 0;
    while let Some(rest) = into.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => return (got, Some(Ok(()))),
            Ok(more) => got += more.min(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (got, Some(Err(error))),
        }
    }
    (got, None)
}

/// Length of the whole blocks at the start that are zeros, or that are not.
fn leading(bytes: &[u8], zeros: bool) -> usize {
    let blocks = bytes.chunks(BLOCK).take_while(|block| (ZEROS.get(..block.len()) == Some(block)) == zeros);
    blocks.map(<[u8]>::len).sum()
}

fn no_space(folder: &Path, reserve: u64) -> Option<String> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let folder = folder.display();
    (free < reserve)
        .then(|| format!("the disk of {folder} has only {free} bytes left; choose another folder with --spool-dir"))
}

fn failed(folder: &Path, source: io::Error) -> Error {
    Error::Spool { folder: folder.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    fn fill(mut from: &[u8], budget: u64) -> Spool {
        Spool::fill(&mut from, budget, &Settings::default(), |_| {}).unwrap()
    }

    #[test]
    fn what_goes_in_comes_out_and_zeros_are_holes() {
        let mut bytes = vec![7; 100_000];
        bytes.extend(vec![0; 3 << 20]);
        bytes.extend([1, 2, 3]);
        let spool = fill(&bytes, u64::MAX);
        assert_eq!((spool.len, spool.crc, spool.cut.as_ref()), (bytes.len() as u64, crc32fast::hash(&bytes), None));
        let image = spool.image("x".into());
        assert_eq!(image.bytes(0, usize::MAX).unwrap(), bytes);
        assert!(image.is_hole(Span::new(1 << 20, 1 << 20)));
    }

    #[test]
    fn a_budget_cuts_and_a_failing_decoder_does_too() {
        struct Fails(usize);
        impl Read for Fails {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or(io::Error::other("broken"))?;
                into[0] = 9;
                Ok(1)
            }
        }
        let spool = fill(&[1; 5000], 4999);
        assert!(spool.len == 4999 && spool.cut.unwrap().contains("more than 4999 bytes"));
        assert!(fill(&[1; 5000], 5000).cut.is_none());
        let spool = Spool::fill(&mut Fails(3), u64::MAX, &Settings::default(), |_| {}).unwrap();
        assert_eq!((spool.len, spool.cut.as_deref()), (3, Some("broken")));
    }

    #[test]
    fn a_full_disk_is_told() {
        let mut settings = Settings::default();
        settings.limits.reserve = u64::MAX;
        let spool = Spool::fill(&mut &[1_u8; 5000][..], u64::MAX, &settings, |_| {}).unwrap();
        assert!(spool.cut.unwrap().contains("--spool-dir"));
    }
}
