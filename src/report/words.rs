//! The names of things, as reports spell them: one spelling for people, for JSON and for the command line.

use serde::Serialize;

use crate::finding::{Encoding, Evidence, Form, Layout, Piece, Severity};

/// Severities by name, worst first.
pub const SEVERITIES: [(&str, Severity); 4] =
    [("critical", Severity::Critical), ("high", Severity::High), ("low", Severity::Low), ("info", Severity::Info)];

/// Kinds of evidence by name, weakest first.
pub const EVIDENCE: [(&str, Evidence); 3] =
    [("matched", Evidence::Matched), ("parsed", Evidence::Parsed), ("proven", Evidence::Proven)];

/// The name that JSON has for a variant, e.g. `critical`, `pem-fragment`.
#[must_use]
pub fn name<T: Serialize>(variant: T) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// How a site holds its secret, in words: `PEM text in UTF-16LE`, `prime p, bare number, least significant byte first`.
#[must_use]
pub fn form(form: Form) -> String {
    let mut words = layout(form.layout).to_owned();
    if let Some(piece) = piece(form.piece) {
        words = format!("{piece}, {words}");
    }
    if let Some(encoding) = encoding(form.encoding) {
        words = format!("{words}, {encoding}");
    }
    words
}

fn layout(layout: Layout) -> &'static str {
    match layout {
        Layout::Pem => "PEM",
        Layout::PemFragment => "part of a PEM",
        Layout::Pkcs1 => "PKCS#1 DER",
        Layout::Pkcs8 => "PKCS#8 DER",
        Layout::Sec1 => "SEC 1 DER",
        Layout::Pkcs12 => "PKCS#12",
        Layout::DerFragment => "part of a DER key",
        Layout::OpenSsh => "OpenSSH key",
        Layout::Putty => "PuTTY key",
        Layout::Capi => "CryptoAPI blob",
        Layout::Cng => "CNG blob",
        Layout::Dpapi => "DPAPI blob",
        Layout::Ntlm => "NTLM message",
        Layout::Pgp => "OpenPGP packet",
        Layout::Kerberos => "Kerberos",
        Layout::KeyXml => "RSAKeyValue XML",
        Layout::Jwk => "JSON Web Key",
        Layout::Sexp => "S-expression",
        Layout::KeySchedule => "key schedule",
        Layout::CipherState => "cipher state",
        Layout::Shielded => "shielded OpenSSH key",
        Layout::Text => "text",
        Layout::Bare => "bare bytes",
    }
}

fn encoding(encoding: Encoding) -> Option<&'static str> {
    match encoding {
        Encoding::Plain => None,
        Encoding::LittleEndian => Some("least significant byte first"),
        Encoding::Words32 => Some("words of 4 bytes, most significant first"),
        Encoding::Limbs64 => Some("words of 8 bytes, least significant first, each most significant byte first"),
        Encoding::Limbs32 => Some("words of 4 bytes, least significant first, each most significant byte first"),
        Encoding::Digits30 => Some("digits of 30 bits"),
        Encoding::Digits28 => Some("digits of 28 bits"),
        Encoding::Digits60 => Some("digits of 60 bits"),
        Encoding::SmallIntegers26 => Some("digits of 26 bits as small integers"),
        Encoding::SmallIntegers28 => Some("digits of 28 bits as small integers"),
        Encoding::Decimal => Some("in decimal"),
        Encoding::Swapped32 => Some("every 4 bytes reversed"),
        Encoding::Utf16Le => Some("UTF-16LE"),
        Encoding::Utf16Be => Some("UTF-16BE"),
        Encoding::Utf32Le => Some("UTF-32LE"),
        Encoding::Hex => Some("in hexadecimal"),
        Encoding::Base64 => Some("in base64"),
        Encoding::Percent => Some("percent-encoded"),
        Encoding::Escaped => Some("escaped"),
        Encoding::HmacInner => Some("exclusive-or 0x36, as HMAC keeps it"),
        Encoding::HmacOuter => Some("exclusive-or 0x5c, as HMAC keeps it"),
        Encoding::Huffman => Some("Huffman code of HTTP/2"),
        Encoding::Gzip => Some("in gzip"),
    }
}

fn piece(piece: Piece) -> Option<&'static str> {
    match piece {
        Piece::Whole => None,
        Piece::P => Some("prime p"),
        Piece::Q => Some("prime q"),
        Piece::D => Some("private exponent d"),
        Piece::Dp => Some("d mod (p-1)"),
        Piece::Dq => Some("d mod (q-1)"),
        Piece::Qinv => Some("1/q mod p"),
        Piece::Seed => Some("seed"),
        Piece::RrP => Some("R^2 mod p"),
        Piece::RrQ => Some("R^2 mod q"),
        Piece::QinvMont => Some("1/q mod p in Montgomery form"),
        Piece::DMont => Some("private scalar in Montgomery form"),
        Piece::NegP => Some("2^k - p"),
        Piece::NegQ => Some("2^k - q"),
        Piece::PMinus1 => Some("p - 1"),
        Piece::QMinus1 => Some("q - 1"),
        Piece::Phi => Some("(p-1)(q-1)"),
        Piece::Lambda => Some("lcm(p-1, q-1)"),
        Piece::OtherD => Some("private exponent d of the other totient"),
        Piece::Expanded => Some("hash of the seed"),
        Piece::Schedule => Some("round keys"),
        Piece::RecordKey => Some("record key"),
        Piece::Prekey => Some("shield prekey"),
        Piece::Fragment => Some("a fragment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        assert!(SEVERITIES.iter().all(|(word, severity)| *word == name(severity)));
        assert!(EVIDENCE.iter().all(|(word, evidence)| *word == name(evidence)));
        assert!(SEVERITIES.is_sorted_by(|a, b| a.1 > b.1) && EVIDENCE.is_sorted_by(|a, b| a.1 < b.1));
        let of = Form { layout: Layout::Bare, encoding: Encoding::LittleEndian, piece: Piece::P };
        assert_eq!(form(of), "prime p, bare bytes, least significant byte first");
        assert_eq!(form(Form::whole(Layout::Pem, Encoding::Plain)), "PEM");
    }
}
