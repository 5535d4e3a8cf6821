//! Arrays of records: counts that lie are cut to what is present, and records are read in chunks of bounded size.

use scroll::ctx::{SizeWith, TryFromCtx};
use scroll::{Endian, Pread};

use super::build::{Builder, Entry};
use crate::error::Result;
use crate::span::{FileOffset, Span};

/// Bytes that are read at once.
const CHUNK: u64 = 1 << 16;

/// A record of the format crate.
pub(super) trait Record: for<'b> TryFromCtx<'b, Endian, [u8], Error = scroll::Error> + SizeWith<Endian> {}
impl<T> Record for T where T: for<'b> TryFromCtx<'b, Endian, [u8], Error = scroll::Error> + SizeWith<Endian> {}

/// The size of a record in the file.
pub(super) fn size_of<T: Record>() -> u64 {
    T::size_with(&Endian::Little) as u64
}

/// `count` records from `at`, `stride` bytes apart, all of them present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Array {
    pub at: u64,
    pub stride: u64,
    pub count: u64,
}

impl Array {
    /// The bytes of all records.
    pub fn span(&self) -> Span {
        Span::new(self.at, self.stride.saturating_mul(self.count))
    }

    /// Calls `read` for each record with its place, until the budget for `what` is spent.
    pub fn each<T: Record>(
        &self,
        build: &mut Builder<'_>,
        what: &'static str,
        mut read: impl FnMut(&mut Builder<'_>, FileOffset, T) -> Result<()>,
    ) -> Result<()> {
        let endian = build.reader.endian();
        let per_chunk = (CHUNK / self.stride.max(1)).max(1);
        let mut done = 0;
        while done < self.count {
            let at = self.at + done * self.stride;
            let now = per_chunk.min(self.count - done);
            // A stride can be anything up to 4 GiB; of a record that is longer than a chunk only the known part is read.
            let len = if self.stride > CHUNK { size_of::<T>() } else { now * self.stride };
            let bytes = build.image().bytes(at, usize::try_from(len).unwrap_or(0))?;
            for i in 0..now {
                let into = usize::try_from(i * self.stride).unwrap_or(usize::MAX);
                let Some(record) = bytes.get(into..).and_then(|b| b.pread_with::<T>(0, endian).ok()) else { break };
                if !build.take(what) {
                    return Ok(());
                }
                read(build, FileOffset(at + i * self.stride), record)?;
            }
            done += now;
        }
        Ok(())
    }
}

/// The records of a stream that begins with a 32-bit count.
///
/// Some writers put four bytes of padding behind the count so that the records are aligned to eight bytes; the stream's
/// size tells.
pub(super) fn counted<T: Record>(build: &mut Builder<'_>, stream: Entry, what: &str) -> Result<Array> {
    let count = u64::from(build.reader.record::<u32>(stream.span.from())?.unwrap_or(0));
    let stride = size_of::<T>();
    let padded = stream.span.len == 8 + count * stride && count > 0;
    let header = if padded { 8 } else { 4 };
    Ok(within(build, stream.span, header, stride, count, what))
}

/// `count` records behind `header` bytes of `span`, cut to what is there, with a fault where that is less.
pub(super) fn within(build: &mut Builder<'_>, span: Span, header: u64, stride: u64, count: u64, what: &str) -> Array {
    let stride = stride.max(1);
    let room = span.len.saturating_sub(header);
    let present = count.min(room / stride);
    if present < count || span.len < header {
        let expected = format!("{header} bytes and {count} records of {stride} bytes");
        build.reader.fault(span.from(), what, expected, format!("{} bytes", span.len));
    }
    Array { at: Span::new(span.from(), header).end(), stride, count: present }
}

/// The records of a stream that begins with a header which gives the sizes of header and records itself.
pub(super) fn sized<T: Record>(
    build: &mut Builder<'_>,
    stream: Entry,
    header: (u32, u32, u64),
    what: &str,
) -> Option<Array> {
    let (size_of_header, size_of_entry, count) = header;
    if u64::from(size_of_entry) < size_of::<T>() {
        let expected = format!("records of at least {} bytes", size_of::<T>());
        build.reader.fault(stream.span.from(), what, expected, format!("{size_of_entry} bytes"));
        return None;
    }
    Some(within(build, stream.span, u64::from(size_of_header), u64::from(size_of_entry), count, what))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{File, faults, kind};

    #[test]
    fn four_bytes_of_padding_behind_the_count_are_seen_by_the_size() {
        let mut file = File::new(1);
        let at = file.put(b"0123");
        file.numbers(kind::MEMORY, &[(1, 4), (0, 4), (0x1000, 8), (4, 4), (at, 4)]);
        let map = file.map();
        assert_eq!(map.regions.len(), 1);
        assert!(map.faults.is_empty(), "{:?}", map.faults);
    }

    #[test]
    fn a_count_that_lies_is_cut_to_the_stream() {
        for count in [2, 0xffff_ffff] {
            let mut file = File::new(1);
            let at = file.put(b"0123");
            file.numbers(kind::MEMORY, &[(count, 4), (0x1000, 8), (4, 4), (at, 4)]);
            let map = file.map();
            assert_eq!(map.regions.len(), 1);
            assert_eq!(faults(&map), ["MemoryListStream"]);
        }
    }

    #[test]
    fn records_that_are_too_small_to_be_records_are_not_read() {
        let mut file = File::new(1);
        file.numbers(kind::INFOS, &[(16, 4), (8, 4), (1, 8), (0, 8)]);
        assert_eq!(faults(&file.map()), ["MemoryInfoListStream"]);
    }

    #[test]
    fn a_stride_of_gigabytes_reads_one_record() {
        let mut file = File::new(1);
        file.numbers(kind::INFOS, &[(16, 4), (0xffff_fff0, 4), (7, 8), (0, 8)]);
        assert_eq!(faults(&file.map()), ["MemoryInfoListStream"]);
    }
}
