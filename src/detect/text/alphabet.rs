//! Sets of letters, written as in a class of a pattern, and how much information a value of them carries.

/// A set of ASCII letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alphabet([bool; 128]);

impl Alphabet {
    /// The set that `class` names: `A-Za-z0-9_-`. A hyphen at either end is a letter.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(class: &str) -> Result<Self, String> {
        let bytes = class.as_bytes();
        if bytes.is_empty() || !class.is_ascii() {
            return Err(format!("`{class}` is no set of ASCII letters"));
        }
        let mut set = Self([false; 128]);
        let mut rest = bytes;
        while let [first, more @ ..] = rest {
            rest = match more {
                [b'-', last, behind @ ..] if first < last => {
                    set.add(*first, *last);
                    behind
                }
                [b'-', last, ..] => {
                    return Err(format!("`{}-{}` is no range of letters", *first as char, *last as char));
                }
                _ => {
                    set.add(*first, *first);
                    more
                }
            };
        }
        Ok(set)
    }

    fn add(&mut self, first: u8, last: u8) {
        let places = self.0.iter_mut().skip(usize::from(first));
        places.take(usize::from(last - first) + 1).for_each(|letter| *letter = true);
    }

    /// Whether the letter is one of the set.
    #[must_use]
    pub fn holds(&self, letter: u8) -> bool {
        self.0.get(usize::from(letter)).copied().unwrap_or_default()
    }

    /// How many letters there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().filter(|letter| **letter).count()
    }
}

/// Bits of information that each letter of `value` carries, by Shannon's measure over its own letters; 0 for nothing.
#[must_use]
pub fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for letter in value {
        counts.iter_mut().skip(usize::from(*letter)).take(1).for_each(|count| *count += 1);
    }
    let len = value.len() as f64;
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / len);
    // Not `sum`, whose empty sum is minus zero.
    shares.fold(0.0, |bits, share| bits - share * share.log2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_names_its_letters() {
        let set = Alphabet::parse("A-Fa-f0-9_-").unwrap();
        assert_eq!(set.count(), 24);
        assert!(set.holds(b'F') && set.holds(b'_') && set.holds(b'-') && !set.holds(b'G') && !set.holds(0xff));
        assert_eq!(Alphabet::parse("-x").unwrap().count(), 2);
        for wrong in ["", "z-a", "ä"] {
            assert!(Alphabet::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn entropy_is_what_shannon_says() {
        // H = -sum p log2 p: one letter carries nothing, two in equal shares one bit, 2^n in equal shares n bits.
        assert_eq!(entropy(b""), 0.0);
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert_eq!(entropy(b"abab"), 1.0);
        assert_eq!(entropy(b"0123456789abcdef"), 4.0);
        // Shares of 1/2, 1/4, 1/8, 1/8: 1.75 bits.
        assert_eq!(entropy(b"aaaabbcd"), 1.75);
    }
}
