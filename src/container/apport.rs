//! apport's `.crash` files: fields of text, some of which are compressed, in base64, a chunk a line.
//!
//! ```text
//! ProblemType: Crash
//! CoreDump: base64
//!  H4sICAAAAAAC/0NvcmVEdW1wAA==
//!  7L0LfFTVtTB+ZvKaBMgEBRsV9agHDQrJJBAeQjDhmRBI
//! ```
//! Compressed is mostly gzip, zstd where the core came from systemd-coredump, and zlib in old reports (`problem_report.py` of
//! apport: `write`, `CompressedValue`).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};

use ::zstd::stream::read::Decoder as ZstdDecoder;
use ::zstd::stream::write::Encoder as ZstdEncoder;
use base64ct::{Base64, Encoding as _};
use flate2::Compression;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::container::out::Out;
use crate::container::{Changed, Container, Peel, zstd};
use crate::error::Result;
use crate::image::{Image, Stream};
use crate::span::Span;

/// apport's reports.
pub struct Apport;

/// What is compressed for one line.
const CHUNK: usize = 1 << 20;
/// The most fields in base64 that are listed; it is more than members are admitted.
const FIELDS: usize = 1 << 17;
/// The longest line: a chunk that is compressed, in base64, and more.
const LONGEST: usize = 8 << 20;
/// The line that comes before a field in base64, without the field's name.
const ENCODED: &[u8] = b": base64";

impl Container for Apport {
    fn name(&self) -> &'static str {
        "apport"
    }

    fn probe(&self, head: &[u8]) -> bool {
        head.starts_with(b"ProblemType: ")
    }

    fn is_archive(&self) -> bool {
        true
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        let (mut at, mut texts) = (0, 0);
        let fields = fields(image)?;
        for field in &fields {
            if field.value.is_empty() {
                let reason =
                    format!("field {} says that it is in base64, and holds nothing: it may be cut", field.name);
                peel.gap(field.value, reason);
                continue;
            }
            text(Span::between(at, field.value.from()), &mut texts, peel)?;
            at = field.value.end();
            if !peel.admit() {
                return Ok(());
            }
            let mut decoder = Decoder::new(Lines::new(image, field.value));
            let spool = peel.decode(&mut decoder)?;
            if spool.cut.is_none() {
                peel.cover(field.value);
            }
            peel.decoded(field.value.from(), Some(field.name.clone()), spool, Vec::new())?;
        }
        text(Span::between(at, image.len()), &mut texts, peel)
    }

    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let (mut out, mut at) = (Out::new(out), 0);
        for field in fields(old)?.into_iter().filter(|field| !field.value.is_empty()) {
            text_again(old, Span::between(at, field.value.from()), changed, &mut out)?;
            match changed.get(&field.value.from()) {
                Some(new) => encode(new, Codec::of(Lines::new(old, field.value)), &mut out)?,
                None => out.copy(old, field.value)?,
            }
            at = field.value.end();
        }
        text_again(old, Span::between(at, old.len()), changed, &mut out)
    }
}

fn text_again(old: &Image, span: Span, changed: &Changed<'_>, out: &mut Out<'_>) -> Result<()> {
    match changed.get(&span.from()).filter(|_| !span.is_empty()) {
        Some(new) => out.copy_all(new),
        None => out.copy(old, span),
    }
}

/// How a field is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Gzip,
    Zstd,
    Zlib,
}

impl Codec {
    /// By its first bytes; zlib has no magic number and is what is left.
    fn of(lines: Lines<'_>) -> Self {
        BufReader::new(lines).fill_buf().map_or(Self::Zlib, Self::begins)
    }

    fn begins(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Zlib,
        }
    }
}

type Input<'a> = BufReader<Lines<'a>>;

/// The decoder of one field.
enum Decoder<'a> {
    New(Option<Input<'a>>),
    Gzip(MultiGzDecoder<Input<'a>>),
    Zstd(ZstdDecoder<'static, Input<'a>>),
    Zlib(ZlibDecoder<Input<'a>>),
}

impl<'a> Decoder<'a> {
    fn new(lines: Lines<'a>) -> Self {
        Self::New(Some(BufReader::new(lines)))
    }

    fn open(mut input: Input<'a>) -> io::Result<Self> {
        Ok(match Codec::begins(input.fill_buf()?) {
            Codec::Gzip => Self::Gzip(MultiGzDecoder::new(input)),
            Codec::Zlib => Self::Zlib(ZlibDecoder::new(input)),
            Codec::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(input)?;
                decoder.window_log_max(zstd::WINDOW_LOG)?;
                Self::Zstd(decoder)
            }
        })
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Self::New(input) = self {
            *self = Self::open(input.take().ok_or(io::ErrorKind::UnexpectedEof)?)?;
        }
        match self {
            Self::New(_) => Ok(0),
            Self::Gzip(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
            Self::Zlib(decoder) => match decoder.read(into)? {
                0 if !into.is_empty() && !decoder.get_mut().fill_buf()?.is_empty() => {
                    Err(io::Error::other("behind the end of the compressed stream stands something else"))
                }
                got => Ok(got),
            },
        }
    }
}

/// The encoder of one field; what it has written so far can be taken.
enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    Zlib(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(codec: Codec) -> io::Result<Self> {
        Ok(match codec {
            Codec::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::best())),
            Codec::Zlib => Self::Zlib(ZlibEncoder::new(Vec::new(), Compression::best())),
            Codec::Zstd => Self::Zstd(ZstdEncoder::new(Vec::new(), 3)?),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Zlib(encoder) => encoder.write_all(bytes),
        }
    }

    fn written(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Zlib(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Zlib(encoder) => encoder.finish(),
        }
    }
}

/// Fields as apport writes them: a line for each MiB of what is compressed.
fn encode(new: &Image, codec: Codec, out: &mut Out<'_>) -> Result<()> {
    let (mut encoder, mut at) = (out.write(|_| Encoder::new(codec))?, 0);
    while at < new.len() {
        let bytes = new.bytes(at, CHUNK)?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        out.write(|_| encoder.write_all(&bytes))?;
        line(encoder.written(), out)?;
    }
    let mut rest = out.write(|_| encoder.finish())?;
    line(&mut rest, out)
}

fn line(packed: &mut Vec<u8>, out: &mut Out<'_>) -> Result<()> {
    if packed.is_empty() {
        return Ok(());
    }
    out.put(format!(" {}\n", Base64::encode_string(packed)).as_bytes())?;
    packed.clear();
    Ok(())
}

/// The fields that are plain text, up to the next one that is not, are a member too: what is secret in it can be redacted.
fn text(span: Span, texts: &mut usize, peel: &mut Peel<'_>) -> Result<()> {
    if span.is_empty() || !peel.admit() {
        return Ok(());
    }
    *texts += 1;
    peel.text(span.from(), &format!("text {texts}"), span)
}

/// A field in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its lines, each with the space before it and the line break behind it.
    pub value: Span,
}

/// Every field in base64.
///
/// # Errors
/// When the image cannot be read.
pub fn fields(image: &Image) -> Result<Vec<Field>> {
    let (mut found, mut open, mut line) = (Vec::new(), None::<Field>, 0);
    let mut stream = Stream::from(image, 0);
    while line < image.len() && found.len() < FIELDS {
        let (head, end) = next_line(&mut stream).map_err(|_| unreadable(image, line))?;
        match &mut open {
            Some(field) if head.starts_with(b" ") => field.value = Span::between(field.value.from(), end),
            _ => {
                found.extend(open.take());
                let name = head.trim_ascii_end().strip_suffix(ENCODED).filter(|name| is_name(name));
                open = name
                    .map(|name| Field { name: String::from_utf8_lossy(name).into_owned(), value: Span::new(end, 0) });
            }
        }
        line = end;
    }
    found.extend(open);
    Ok(found)
}

fn unreadable(image: &Image, at: u64) -> crate::error::Error {
    let what = format!("it could not be read at {at:#x}");
    crate::error::Error::Changed { path: image.origin().to_owned(), what }
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The first bytes of the next line, and where the line behind it begins.
fn next_line(stream: &mut Stream<'_>) -> io::Result<(Vec<u8>, u64)> {
    const KEPT: usize = 256;
    let mut head = Vec::new();
    loop {
        let ready = stream.fill_buf()?;
        let end = ready.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(ready.len());
        head.extend(ready.iter().take(taken.min(KEPT - head.len().min(KEPT))));
        stream.consume(taken);
        if end.is_some() || taken == 0 {
            return Ok((head, stream.at()));
        }
    }
}

/// What the lines of a field hold, decoded.
struct Lines<'a> {
    stream: Stream<'a>,
    left: u64,
    ready: Vec<u8>,
    used: usize,
}

impl<'a> Lines<'a> {
    fn new(image: &'a Image, value: Span) -> Self {
        Self { stream: Stream::new(image, value), left: value.end(), ready: Vec::new(), used: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        (&mut self.stream).take(LONGEST as u64).read_until(b'\n', &mut line)?;
        if line.len() >= LONGEST {
            return Err(io::Error::other("a line of base64 is longer than 8 MiB"));
        }
        let text = line.trim_ascii();
        let mut bytes = vec![0; text.len()];
        let len = Base64::decode(text, &mut bytes).map_err(|_| io::Error::other("a line is no base64"))?.len();
        bytes.truncate(len);
        (self.ready, self.used) = (bytes, 0);
        Ok(())
    }
}

impl Read for Lines<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.used == self.ready.len() {
            if self.stream.at() >= self.left {
                return Ok(0);
            }
            self.refill()?;
        }
        let got = self.ready.get(self.used..).unwrap_or_default().read(into)?;
        self.used += got;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_base64_are_found() {
        let text = b"ProblemType: Crash\nCoreDump: base64\n aGVs\n bG8=\nProcEnviron:\n A=b\nEmpty: base64\nLast: base64\n eA==";
        let image = Image::from_bytes("x", text.to_vec());
        let found = fields(&image).unwrap();
        let told: Vec<_> = found.iter().map(|field| (field.name.as_str(), field.value.len)).collect();
        assert_eq!(told, [("CoreDump", 12), ("Empty", 0), ("Last", 5)]);
        let mut lines = Vec::new();
        Lines::new(&image, found[0].value).read_to_end(&mut lines).unwrap();
        assert_eq!(lines, b"hello");
    }
}
