//! One PEM block, or what is left of it: which line led to it, what stands in the line, and the run of base64 beside it.

use memchr::memmem;

use crate::detect::base64_run::Run;

const DASHES: &[u8] = b"-----";
/// Letters that a line's label and its dashes may take: `-----BEGIN ENCRYPTED PRIVATE KEY-----` and room for odd ones.
const LINE: usize = 64;
/// Letters that the encapsulated headers of RFC 1421 may take: two short lines, their breaks spelled as `\\u000d\\u000a`.
const HEADERS: usize = 256;
/// Letters of the longest spelling of a line break.
const LONGEST_BREAK: usize = 24;

/// A body and what is known of it.
#[derive(Debug)]
pub struct Block {
    /// The base64 text.
    pub run: Run,
    /// Whether its first letter is the body's first letter.
    pub has_head: bool,
    /// Whether both lines are there and nothing is missing between them.
    pub is_closed: bool,
    /// Whether a passphrase protects it, as its headers or its label say.
    pub is_encrypted: bool,
    /// Whether the label says OPENSSH.
    pub is_openssh: bool,
}

/// One of the two lines around a body.
struct Line<'a> {
    is_begin: bool,
    label: &'a [u8],
    start: usize,
    end: usize,
}

impl Block {
    /// The block whose BEGIN or END line holds the words "PRIVATE KEY" at `at`. `None` where there is no such line, no body
    /// beside it, or where the line is an END that another line's block reaches.
    #[must_use]
    pub fn at(text: &[u8], at: usize) -> Option<Self> {
        let line = Line::around(text, at)?;
        let block = if line.is_begin { Self::behind(text, &line) } else { Self::before(text, &line) };
        block.filter(|block| !block.run.is_empty())
    }

    /// Whether the body beside that line goes on to the edge of the text, so that more text would show more of it.
    #[must_use]
    pub fn reaches_edge(text: &[u8], at: usize) -> bool {
        match Line::around(text, at) {
            None => false,
            Some(line) if line.is_begin => {
                let end = Run::read(text, skip_headers(text, line.end).0).end();
                end + LINE > text.len()
            }
            Some(line) => Run::earliest(text, line.start) < HEADERS + LINE,
        }
    }

    fn behind(text: &[u8], line: &Line<'_>) -> Option<Self> {
        let (from, has_headers) = skip_headers(text, line.end);
        let run = Run::read(text, from);
        let is_closed = text.get(run.end()..)?.starts_with(b"-----END");
        let run = if is_closed { run } else { run.keep_head() };
        let is_encrypted = has_headers || line.says(b"ENCRYPTED");
        Some(Self { run, has_head: true, is_closed, is_encrypted, is_openssh: line.says(b"OPENSSH") })
    }

    fn before(text: &[u8], line: &Line<'_>) -> Option<Self> {
        let earliest = Run::earliest(text, line.start);
        if owner(text, earliest).is_some_and(|begin| begin.reaches(text, line.start)) {
            return None;
        }
        let run = Run::read_back(text, line.start)?.keep_tail();
        // The OpenSSH detector reads a body that begins with the magic of its own; one report is enough.
        if run.letters().starts_with(crate::detect::openssh::BASE64_MAGIC) {
            return None;
        }
        let is_encrypted = ends_in_headers(text.get(..earliest)?) || line.says(b"ENCRYPTED");
        Some(Self { run, has_head: false, is_closed: false, is_encrypted, is_openssh: line.says(b"OPENSSH") })
    }
}

impl<'a> Line<'a> {
    /// The line that holds the words at `at`: five dashes, BEGIN or END, a label of capitals and digits, five dashes.
    fn around(text: &'a [u8], at: usize) -> Option<Self> {
        let before = text.get(at.saturating_sub(LINE)..at)?;
        let dashes = memmem::rfind(before, DASHES)?;
        let start = at - before.len() + dashes;
        let words = before.get(dashes + DASHES.len()..)?;
        let (is_begin, label) = match words.strip_prefix(b"BEGIN") {
            Some(label) => (true, label),
            None => (false, words.strip_prefix(b"END")?),
        };
        let fits = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b" +%".contains(b);
        let behind = text.get(at..text.len().min(at + LINE))?;
        let end = at + memmem::find(behind, DASHES)? + DASHES.len();
        label.iter().all(fits).then_some(Self { is_begin, label, start, end })
    }

    fn says(&self, word: &[u8]) -> bool {
        memmem::find(self.label, word).is_some()
    }

    /// Whether the block of this BEGIN line goes on without a break to an END line at `end`.
    fn reaches(&self, text: &[u8], end: usize) -> bool {
        self.is_begin && Run::read(text, skip_headers(text, self.end).0).end() == end
    }
}

/// The line that ends where a body or its headers begin at or before `body`.
fn owner(text: &[u8], body: usize) -> Option<Line<'_>> {
    let from = body.saturating_sub(HEADERS + LINE);
    let words = from + memmem::rfind(text.get(from..body)?, b"PRIVATE")?;
    Line::around(text, words)
}

/// Whether the body that begins at `body` belongs to a BEGIN line.
#[must_use]
pub fn is_body_of_begin(text: &[u8], body: usize) -> bool {
    let begins_here = |line: Line<'_>| line.is_begin && Run::read(text, line.end).range().start == body;
    owner(text, body).is_some_and(begins_here)
}

/// Where the body begins behind a BEGIN line that ends at `from`, and whether headers say that it is encrypted. They do so
/// in two lines before an empty one, `Proc-Type: 4,ENCRYPTED` and `DEK-Info: AES-128-CBC,<hex>`; where line breaks became
/// spaces only the end of the hex digits tells where the body begins.
fn skip_headers(text: &[u8], from: usize) -> (usize, bool) {
    let head = text.get(from..text.len().min(from + HEADERS)).unwrap_or_default();
    if memmem::find(head, b"Proc-Type").is_none_or(|at| at > LONGEST_BREAK) {
        return (from, false);
    }
    let is_encrypted = memmem::find(head, b"ENCRYPTED").is_some();
    (from + end_of_iv(head).unwrap_or_default(), is_encrypted)
}

/// Where the initialization vector ends, which is the last thing in the headers.
fn end_of_iv(headers: &[u8]) -> Option<usize> {
    let info = memmem::find(headers, b"DEK-Info")?;
    let rest = headers.get(info..)?;
    let comma = memmem::find(rest, b",").map(|at| at + 1).or_else(|| memmem::find(rest, b"%2C").map(|at| at + 3))?;
    Some(info + comma + rest.iter().skip(comma).take_while(|b| b.is_ascii_hexdigit()).count())
}

/// Whether `text` ends in headers: where a body that goes back to them has lost its BEGIN line.
fn ends_in_headers(text: &[u8]) -> bool {
    let head = text.get(text.len().saturating_sub(HEADERS)..).unwrap_or_default();
    memmem::rfind(head, b"DEK-Info").is_some_and(|info| memmem::rfind(head, DASHES).is_none_or(|dashes| dashes < info))
}
