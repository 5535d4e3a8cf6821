//! Opening a path.

use std::fs::File;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};
use crate::image::Image;

/// Opens a regular file for reading.
///
/// # Errors
/// [`Error::Open`], [`Error::NotAFile`] (a FIFO, a device, a socket, a folder) or [`Error::Empty`].
pub fn open(path: &Path) -> Result<Image> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    // Without O_NONBLOCK, opening a FIFO that nobody writes to would wait for ever instead of being refused.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(Error::NotAFile { path: path.to_owned(), found: kind_of(meta.file_type()) });
    }
    if meta.len() == 0 {
        return Err(Error::Empty { path: path.to_owned() });
    }
    Ok(Image::from_file(path.display().to_string(), file, meta.len()))
}

fn kind_of(file_type: std::fs::FileType) -> &'static str {
    if file_type.is_dir() {
        "a folder"
    } else if file_type.is_fifo() {
        "a named pipe (FIFO)"
    } else if file_type.is_socket() {
        "a socket"
    } else if file_type.is_char_device() || file_type.is_block_device() {
        "a device"
    } else {
        "neither a file nor a folder"
    }
}
