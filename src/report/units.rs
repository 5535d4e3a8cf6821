//! Numbers for people.

use std::fmt;

/// A number of bytes: exact below 10 KiB, with one decimal above.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < 10 << 10 {
            return write!(f, "{}", Count(self.0, "byte"));
        }
        let mut unit = 0;
        while unit + 1 < UNITS.len() && self.0 >> (10 * (unit + 2)) > 0 {
            unit += 1;
        }
        let size = 1_u128 << (10 * (unit + 1));
        let tenths = (u128::from(self.0) * 10 + size / 2) / size;
        write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS.get(unit).copied().unwrap_or_default())
    }
}

/// A number of things, named in the singular: `1 site`, `12,345 sites`.
#[derive(Clone, Copy, Debug)]
pub struct Count<'a>(pub u64, pub &'a str);

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", Grouped(self.0), self.1)
    }
}

/// A number with its thousands apart: `12,345`.
#[derive(Clone, Copy, Debug)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 / 1000 {
            0 => write!(f, "{}", self.0),
            thousands => write!(f, "{},{:03}", Self(thousands), self.0 % 1000),
        }
    }
}

/// A number of bytes as people write it: digits, and K, M, G or T for powers of 1024.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text.strip_prefix(digits)? {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    number.checked_mul(1 << shift)
}

/// [`Count`] of a length in memory.
#[must_use]
pub fn count(number: usize, what: &str) -> Count<'_> {
    Count(number as u64, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let sizes = [("0", 0), ("500", 500), ("3k", 3 << 10), ("500M", 500 << 20), ("64G", 64 << 30), ("2T", 2 << 40)];
        assert!(sizes.iter().all(|&(text, bytes)| size(text) == Some(bytes)));
        for text in ["", "G", "1KK", "1.5G", "-1", "+1", " 1", "1 G", "99999999T", "1B"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(Count(1, "site").to_string(), "1 site");
        assert_eq!(Count(1_234_567, "site").to_string(), "1,234,567 sites");
        assert_eq!(Bytes(1000).to_string(), "1,000 bytes");
        assert_eq!(Bytes(10 << 10).to_string(), "10.0 KiB");
        assert_eq!(Bytes((3 << 20) + (1 << 19)).to_string(), "3.5 MiB");
        assert_eq!(Bytes(1_500_000_000).to_string(), "1.4 GiB");
        assert_eq!(Bytes(u64::MAX).to_string(), "16384.0 PiB");
    }
}
