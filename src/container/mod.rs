//! The wrappers that dumps travel in: taken off before the scan, put on again after a redaction.
//!
//! A [`Container`] is recognised by its first bytes and gives its members to a [`Peel`]: those that stand in it as they
//! are as a part of its image, all others decoded, once, into an unlinked spool file in which runs of zeros are holes.
//! A member may be a container again; [`peel`] goes down to [`Limits::depth`] and shows each dump as one [`Peeled`].
//! What is left of a container when its members are taken out (names, comments, bytes that belong to nobody) is shown as
//! its *shell*, so that every byte of the input is looked at once.
//!
//! Nothing that is wrong with a container is an error: what could be decoded is shown, with a gap that says what could not.
//! No name that stands in a container is ever used as a path.
//!
//! | file | is about |
//! |---|---|
//! | `gzip`, `zstd`, `xz`, `lz4`, `bzip2` | one stream of bytes; `chain`: frames that follow each other; `blocks`: those that several threads decode |
//! | `zip`, `tar`, `cab`, `apport`, `envelope` | members with names |
//! | `foreign` | what is known and not taken off |
//! | `peel`, `spool` | members on their way out, and what they may cost |
//! | `tree`, `out` | a container with all that is in it, put together again |

mod apport;
mod blocks;
mod bzip2;
mod cab;
mod chain;
mod envelope;
mod foreign;
mod gzip;
mod lz4;
mod out;
mod peel;
mod spool;
mod tar;
mod tree;
mod xz;
mod zip;
mod zstd;

use std::fs::File;
use std::num::NonZero;
use std::path::PathBuf;

use crate::dump;
use crate::error::Result;
use crate::image::Image;

pub use peel::{Onlooker, Peel, Peeled, peel, peel_beside};
pub use spool::{Spool, create, take};
pub use tree::{Changed, Tree, tree};

/// How one kind of container is recognised and taken apart.
pub trait Container: Sync {
    /// The name that reports use: `zip`, `zstd`.
    fn name(&self) -> &'static str;
    /// Whether the image's first bytes (up to [`HEAD`]) are this container's.
    fn probe(&self, head: &[u8]) -> bool;
    /// Whether its members have names; a container of one stream has none, and is told by its own.
    fn is_archive(&self) -> bool {
        false
    }
    /// Gives every member, in the order of the container, to `peel`.
    ///
    /// # Errors
    /// When the image cannot be read, or the spool cannot be written. What is wrong with the container is a gap.
    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()>;
    /// Writes `old` to `out`, an empty file, with the `changed` members in the place of those with these keys. Everything
    /// else stays as it is, byte for byte.
    ///
    /// # Errors
    /// [`crate::error::Error::Refused`] where that cannot be; when something cannot be read or written.
    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()>;
}

/// Every container, in the order in which they are asked.
pub const CONTAINERS: &[&dyn Container] = &[
    &zstd::Zstd,
    &gzip::Gzip,
    &xz::Xz,
    &lz4::Lz4,
    &bzip2::Bzip2,
    &zip::Zip,
    &cab::Cab,
    &apport::Apport,
    &envelope::Envelope,
    &tar::Tar,
];

/// Bytes that a container is recognised by: the first block of a tar.
pub const HEAD: usize = 512;

/// The container that an image is: by its first bytes, by those behind the skippable frames that zstd and LZ4 may begin with,
/// or by its end, where a zip stands behind a program that unpacks it.
///
/// # Errors
/// When the image cannot be read.
pub fn recognise(image: &Image) -> Result<Option<&'static dyn Container>> {
    let head = image.bytes(0, HEAD)?;
    let by = |head: &[u8]| CONTAINERS.iter().find(|container| container.probe(head)).copied();
    if let Some(known) = by(&head) {
        return Ok(Some(known));
    }
    if zstd::skippable(&head).is_some() {
        let first = image.bytes(zstd::past_skippable(image)?, HEAD)?;
        return Ok(by(&first).filter(|container| FRAMED.contains(&container.name())));
    }
    Ok((zip::ends(image)? && !dump::is_known(image)?).then_some(&zip::Zip))
}

/// Containers whose frames may have skippable ones before them.
const FRAMED: &[&str] = &["zstd", "lz4"];

/// Where members are spooled, and what they may cost.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the spool files; they have no names in it.
    pub folder: PathBuf,
    /// Budgets.
    pub limits: Limits,
    /// Threads that may decode one stream, where it has blocks.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { folder: std::env::temp_dir(), limits: Limits::default(), threads }
    }
}

/// What one input may cost while it is taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Containers inside each other.
    pub depth: usize,
    /// Members of all containers together.
    pub members: usize,
    /// Bytes of all members together, whatever the input's size.
    pub bytes: u64,
    /// Bytes of members for each byte of the input, where they are more than [`Limits::modest`]: a bomb is small.
    pub ratio: u64,
    /// Bytes that are no bomb however small the input is.
    pub modest: u64,
    /// Bytes that stay free on the spool's disk.
    pub reserve: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 6, members: 100_000, bytes: 256 << 30, ratio: 4_000, modest: 1 << 30, reserve: 256 << 20 }
    }
}

impl Limits {
    /// Bytes that the members of an input of `len` bytes may have.
    #[must_use]
    pub fn allowed(&self, len: u64) -> u64 {
        len.saturating_mul(self.ratio).max(self.modest).min(self.bytes)
    }
}
