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

/// UTF-32, low byte first.
pub fn utf32le(text: &str) -> Vec<u8> {
    text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect()
}

/// Words of four bytes, most significant first, each least significant byte first: how Java keeps a BigInteger.
pub fn words32(number: &[u8]) -> Vec<u8> {
    let zeros = vec![0; (4 - number.len() % 4) % 4];
    [&zeros, number].concat().chunks(4).flat_map(reversed).collect()
}

/// Digits of `bits` bits, least significant first, each in `size` bytes: CPython (30 in 4), libtommath (28 in 4, 60 in 8).
pub fn digits(number: &[u8], bits: usize, size: usize) -> Vec<u8> {
    let mut binary: Vec<u8> = number.iter().rev().flat_map(|byte| (0..8).map(move |i| byte >> i & 1)).collect();
    while binary.len() > 1 && binary.last() == Some(&0) {
        binary.pop();
    }
    let word = |digit: &[u8]| digit.iter().rev().fold(0_u64, |word, &bit| word * 2 + u64::from(bit));
    binary.chunks(bits).flat_map(|digit| word(digit).to_le_bytes()[..size].to_vec()).collect()
}

/// Decimal digits, by adding up powers of two digit by digit.
pub fn decimal(number: &[u8]) -> String {
    let mut digits = vec![0_u32];
    for byte in number {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit * 256;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|&digit| char::from_digit(digit, 10).unwrap()).collect()
}

/// Percent-encoding: what RFC 3986 calls unreserved is kept, all else is `%XX`.
pub fn percent(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Percent-encoding of every byte.
pub fn percent_all(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02x}")).collect()
}

/// The encoding of HTML forms: a space is a plus sign.
pub fn form_encoded(text: &str) -> String {
    percent(text).replace("%20", "+")
}

/// A JSON string as RFC 8259 needs it, without its quotes.
pub fn json(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
}

/// A JSON string as Go and many web frameworks write it, so that it may stand in HTML.
pub fn json_for_html(text: &str) -> String {
    json(text).replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A JSON string whose slashes are escaped, as PHP writes it.
pub fn json_slashes(text: &str) -> String {
    json(text).replace('/', "\\/")
}

/// A string of C with what is special in it escaped.
pub fn c_string(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "\\'").replace('\n', "\\n").replace('\t', "\\t")
}

/// A string of C with every byte as a number.
pub fn c_bytes(text: &str) -> String {
    text.bytes().map(|b| format!("\\x{b:02x}")).collect()
}

/// Text in XML.
pub fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
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
