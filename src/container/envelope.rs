//! Sentry's envelopes: lines of JSON that say what follows, and what follows.
//!
//! ```text
//! {"dsn":"https://key@host/1","event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}
//! {"type":"attachment","length":32595,"filename":"a.dmp","attachment_type":"event.minidump"}
//! MDMP...
//! ```
//! (develop.sentry.dev, "Envelopes": an item whose header has no `length` ends with its line.)

use std::fs::File;

use serde::Deserialize;

use crate::container::out::{Out, refused};
use crate::container::{Changed, Container, Peel};
use crate::error::Result;
use crate::image::Image;
use crate::span::Span;

/// Sentry's envelopes.
pub struct Envelope;

/// The longest header.
const LONGEST: u64 = 1 << 20;
/// Bytes that are looked at at once for the end of a line.
const STEP: usize = 64 << 10;
/// How the first line may begin: every field that the description knows.
const BEGINNINGS: [&[u8]; 6] =
    [b"{\"dsn\":", b"{\"event_id\":", b"{\"sent_at\":", b"{\"sdk\":", b"{\"trace\":", b"{}\n{\"type\":"];

impl Container for Envelope {
    fn name(&self) -> &'static str {
        "sentry envelope"
    }

    fn probe(&self, head: &[u8]) -> bool {
        let second = head.iter().position(|&byte| byte == b'\n').and_then(|end| head.get(end + 1..));
        BEGINNINGS.iter().any(|beginning| head.starts_with(beginning))
            && second.is_none_or(|line| line.is_empty() || line.starts_with(b"{\""))
    }

    fn is_archive(&self) -> bool {
        true
    }

    fn members(&self, image: &Image, peel: &mut Peel<'_>) -> Result<()> {
        let Parsed { head, items, rest } = parse(image)?;
        if !peel.admit() {
            return Ok(());
        }
        peel.text(0, "header", head)?;
        for (number, item) in items.iter().enumerate() {
            if !peel.admit() || !peel.admit() {
                return Ok(());
            }
            peel.text(item.header.from(), &format!("item {} header", number + 1), item.header)?;
            if item.payload.is_empty() {
                continue;
            }
            let cut = format!("its header says {} bytes, and there are {}", item.said, item.payload.len);
            let reasons = if item.said > item.payload.len { vec![cut] } else { Vec::new() };
            peel.stored(item.payload.from(), format!("item {} {}", number + 1, item.kind), item.payload, reasons)?;
        }
        if !rest.is_empty() && peel.admit() {
            let reason = "here a header of an item should stand; what follows was only scanned as it is";
            peel.gap(rest, reason);
            peel.text(rest.from(), "rest", rest)?;
        }
        Ok(())
    }

    fn pack(&self, old: &Image, changed: &Changed<'_>, out: &mut File) -> Result<()> {
        let Parsed { head, items, rest } = parse(old)?;
        let mut out = Out::new(out);
        let mut at = again(old, head, changed, &mut out)?;
        for item in &items {
            out.copy(old, Span::between(at, item.header.from()))?;
            let payload = changed.get(&item.payload.from()).filter(|_| !item.payload.is_empty());
            match payload.filter(|new| new.len() != item.payload.len) {
                Some(new) => resized(old, item, changed, new.len(), &mut out)?,
                None => drop(again(old, item.header, changed, &mut out)?),
            }
            out.copy(old, Span::between(item.header.end(), item.payload.from()))?;
            at = again(old, item.payload, changed, &mut out)?;
        }
        out.copy(old, Span::between(at, rest.from()))?;
        again(old, rest, changed, &mut out).map(drop)
    }
}

/// A run of the old envelope, or what takes its place; returns where the run ends.
fn again(old: &Image, span: Span, changed: &Changed<'_>, out: &mut Out<'_>) -> Result<u64> {
    match changed.get(&span.from()).filter(|_| !span.is_empty()) {
        Some(new) => out.copy_all(new)?,
        None => out.copy(old, span)?,
    }
    Ok(span.end())
}

/// The header of an item whose length is another one now.
fn resized(old: &Image, item: &Item, changed: &Changed<'_>, len: u64, out: &mut Out<'_>) -> Result<()> {
    let size = usize::try_from(item.header.len).unwrap_or(usize::MAX);
    let header = match changed.get(&item.header.from()) {
        Some(new) => new.bytes(0, size)?,
        None => old.bytes(item.header.from(), size)?,
    };
    let number = length_of(&header)
        .ok_or_else(|| refused("an item of the envelope has another length now, and its header none"))?;
    out.put(header.get(..number.start).unwrap_or_default())?;
    out.put(len.to_string().as_bytes())?;
    out.put(header.get(number.end..).unwrap_or_default())
}

/// Where the digits of the field `length` stand.
fn length_of(header: &[u8]) -> Option<std::ops::Range<usize>> {
    const KEY: &[u8] = b"\"length\"";
    let key = header.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b':';
    let from = key + header.get(key..)?.iter().take_while(|byte| is_between(byte)).count();
    let digits = header.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(from..from + digits)
}

/// One item.
struct Item {
    header: Span,
    payload: Span,
    /// The length that the header gives.
    said: u64,
    kind: String,
}

struct Parsed {
    head: Span,
    items: Vec<Item>,
    /// What is no item.
    rest: Span,
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    length: Option<u64>,
}

fn parse(image: &Image) -> Result<Parsed> {
    let end = line_end(image, 0)?.unwrap_or(image.len());
    let (head, mut items, mut at) = (Span::between(0, end), Vec::new(), end);
    while at < image.len() {
        if image.bytes(at, 1)? == b"\n" {
            at += 1;
            continue;
        }
        let Some(item) = item(image, at)? else { break };
        at = item.payload.end();
        items.push(item);
    }
    Ok(Parsed { head, items, rest: Span::between(at.min(image.len()), image.len()) })
}

/// The item whose header begins at `at`.
fn item(image: &Image, at: u64) -> Result<Option<Item>> {
    let Some(end) = line_end(image, at)? else { return Ok(None) };
    let line = image.bytes(at, usize::try_from(end - at).unwrap_or(0))?;
    let Ok(Header { kind, length }) = serde_json::from_slice(&line) else { return Ok(None) };
    let from = (end + 1).min(image.len());
    let payload = match length {
        Some(len) => Span::between(from, from.saturating_add(len).min(image.len())),
        None => Span::between(from, line_end_of_any_length(image, from)?),
    };
    Ok(Some(Item { header: Span::between(at, end), payload, said: length.unwrap_or(0), kind }))
}

/// The end of the line of a header, without its line break; nothing where it is too long to be one. The end of the image ends it too.
fn line_end(image: &Image, at: u64) -> Result<Option<u64>> {
    let limited = image.part(String::new(), Span::between(0, at.saturating_add(LONGEST).min(image.len())));
    let end = line_end_of_any_length(&limited, at)?;
    Ok((end < limited.len() || limited.len() == image.len()).then_some(end))
}

fn line_end_of_any_length(image: &Image, mut at: u64) -> Result<u64> {
    while at < image.len() {
        let bytes = image.bytes(at, STEP)?;
        if bytes.is_empty() {
            break;
        }
        if let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            return Ok(at + end as u64);
        }
        at += bytes.len() as u64;
    }
    Ok(image.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> (Image, Parsed) {
        let image = Image::from_bytes("a.envelope", text.to_vec());
        let parsed = parse(&image).unwrap();
        (image, parsed)
    }

    fn payloads(image: &Image, parsed: &Parsed) -> Vec<Vec<u8>> {
        parsed.items.iter().map(|item| image.bytes(item.payload.from(), item.payload.len as usize).unwrap()).collect()
    }

    const TWO: &[u8] =
        b"{\"event_id\":\"9ec7\"}\n{\"type\":\"attachment\",\"length\":5}\nab\ncd\n{\"type\":\"event\"}\n{\"a\":1}\n";

    #[test]
    fn items_have_the_length_that_they_say_or_end_with_their_line() {
        let (image, parsed) = parsed(TWO);
        assert!(Envelope.probe(TWO) && parsed.rest.is_empty());
        assert_eq!(payloads(&image, &parsed), [b"ab\ncd".to_vec(), b"{\"a\":1}".to_vec()]);
    }

    #[test]
    fn what_is_no_item_is_the_rest() {
        let (image, parsed) = parsed(b"{\"event_id\":\"1\"}\n{\"type\":\"a\",\"length\":9}\nshort");
        assert_eq!((payloads(&image, &parsed), parsed.items[0].said), (vec![b"short".to_vec()], 9));
        let (_, parsed) = self::parsed(b"{\"event_id\":\"1\"}\nno json\n{}");
        assert_eq!(parsed.rest, Span::new(17, 10));
    }

    #[test]
    fn a_length_that_changes_is_written_anew() {
        let (image, parsed) = parsed(TWO);
        let new = Image::from_bytes("new", b"a longer one".to_vec());
        let changed: Changed<'_> = [(parsed.items[0].payload.from(), &new)].into();
        let mut out = tempfile::tempfile().unwrap();
        Envelope.pack(&image, &changed, &mut out).unwrap();
        let len = out.metadata().unwrap().len();
        let packed = Image::from_file("packed".to_owned(), out, len).bytes(0, 1000).unwrap();
        let text = String::from_utf8(packed).unwrap();
        assert!(text.contains("\"length\":12}\na longer one\n{\"type\":\"event\"}\n{\"a\":1}\n"), "{text}");
    }

    #[test]
    fn other_json_is_no_envelope() {
        assert!(!Envelope.probe(b"{\"name\":1}\n"));
        assert!(!Envelope.probe(b"{\"event_id\":1}\n[1]"));
    }
}
