//! The forms that a secret is planted in, and a search that is too simple to be wrong.
//!
//! Nothing here is shared with the program under test, and no crate does the work: what finds and what checks must not
//! agree by having the same bug.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Every place where `needle` stands in `haystack`, overlapping ones included.
pub fn find_all(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    assert!(!needle.is_empty(), "an empty needle is everywhere");
    haystack.windows(needle.len()).enumerate().filter(|(_, seen)| *seen == needle).map(|(at, _)| at).collect()
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().chain(&[0, 0]).take(3).fold(0_usize, |n, &b| n << 8 | usize::from(b));
        for i in 0..4 {
            let letter = BASE64[number >> (18 - 6 * i) & 63];
            text.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// What `secret` looks like inside base64 when 0, 1 or 2 bytes stand before it in its group of three: only the letters
/// that depend on nothing but the secret.
pub fn base64_phases(secret: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|phase| {
        let padded = [&vec![0; phase], secret].concat();
        let whole = padded.len() * 8 / 6;
        base64(&padded)[(phase * 8).div_ceil(6)..whole].to_owned()
    })
}

/// Base64 without padding in the alphabet of URLs.
pub fn base64_url(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// Hexadecimal digits in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal digits in upper case.
pub fn hex_upper(bytes: &[u8]) -> String {
    hex(bytes).to_uppercase()
}

/// UTF-16, low byte first.
pub fn utf16le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// UTF-16, high byte first.
pub fn utf16be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// The bytes of a number in the other order.
pub fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

/// How the lines of a PEM text end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
    /// A backslash and an `n`, as in JSON and in environment variables.
    Escaped,
    /// Two backslashes and an `n`: JSON in JSON.
    EscapedTwice,
    /// No line ends at all.
    OneLine,
    /// A blank in place of each line end.
    Blanks,
}

impl Lines {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Lf, Self::CrLf, Self::Escaped, Self::EscapedTwice, Self::OneLine, Self::Blanks];

    fn end(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Escaped => "\\n",
            Self::EscapedTwice => "\\\\n",
            Self::OneLine => "",
            Self::Blanks => " ",
        }
    }
}

/// PEM text of `der`: `label` is what stands between BEGIN and the dashes, lines are 64 letters long. The last line has
/// no line end, so that the text ends with the last dash.
pub fn pem(label: &str, der: &[u8], lines: Lines) -> String {
    let body = base64(der);
    let mut text = format!("-----BEGIN {label}-----");
    for line in body.as_bytes().chunks(64) {
        text.push_str(lines.end());
        text.extend(line.iter().map(|&letter| char::from(letter)));
    }
    text.push_str(lines.end());
    text + &format!("-----END {label}-----")
}
