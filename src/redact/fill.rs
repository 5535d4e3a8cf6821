//! What takes the place of a secret: independent of its value, and readable in a debugger.

use serde::{Deserialize, Serialize};

use crate::dump::{ByteOrder, DumpMap};
use crate::fill::{self, LETTER, WORDS};
use crate::span::{Cover, Span};

/// How secrets are filled; the user's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// Letters X for text, the constant for binary bytes.
    #[default]
    Mask,
    /// The constant for everything.
    Constant,
    /// Zeros for everything.
    Zero,
    /// The rule's name, again and again.
    Label,
}

/// What one edit writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Letters X.
    Letters,
    /// The plan's constant.
    Word,
    /// Zeros.
    Zero,
    /// The rule's name.
    Label,
}

/// How letters stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Width {
    /// One byte each.
    Narrow,
    /// UTF-16, low byte first.
    WideLe,
    /// UTF-16, high byte first.
    WideBe,
    /// UTF-32, low byte first.
    Wide32Le,
}

/// What one edit writes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    /// What.
    pub mark: Mark,
    /// How letters stand in the file.
    pub width: Width,
    /// Whether the line breaks and the padding of base64 stay, which say nothing of the secret.
    pub keeps_lines: bool,
}

impl Ink {
    /// Writes over `bytes`, the old bytes of the file. `phase` is how many bytes of the site (for a word: of the address
    /// space) stand before them; `label` is what [`Mark::Label`] repeats.
    pub fn paint(self, bytes: &mut [u8], phase: u64, word: [u8; 4], label: &[u8]) {
        for (byte, at) in bytes.iter_mut().zip(phase..) {
            if self.keeps_lines && matches!(byte, b'\r' | b'\n' | b'=') {
                continue;
            }
            *byte = self.at(at, word, label);
        }
    }

    fn at(self, at: u64, word: [u8; 4], label: &[u8]) -> u8 {
        let (letter, is_zero) = match self.width {
            Width::Narrow => (at, false),
            Width::WideLe => (at / 2, at % 2 == 1),
            Width::WideBe => (at / 2, at.is_multiple_of(2)),
            Width::Wide32Le => (at / 4, !at.is_multiple_of(4)),
        };
        let nth =
            |of: &[u8], at: u64| usize::try_from(at % of.len().max(1) as u64).ok().and_then(|i| of.get(i).copied());
        match self.mark {
            Mark::Zero => 0,
            Mark::Word => nth(&word, at).unwrap_or(0),
            Mark::Letters | Mark::Label if is_zero => 0,
            Mark::Letters => LETTER,
            Mark::Label => nth(label, letter).unwrap_or(LETTER),
        }
    }
}

/// The constant for this dump, in the byte order of its memory: the first word that, alone or doubled and at whatever phase
/// it is read, points into no module, no stack and no memory of the dump. `None` where there is no such word.
#[must_use]
pub fn word_for(map: &DumpMap) -> Option<[u8; 4]> {
    let mut taken = Cover::new(u64::MAX, false);
    map.modules.iter().for_each(|module| taken.paint(Span::new(module.base.0, module.size), true));
    for (start, len) in map.threads.iter().filter_map(|thread| thread.stack) {
        taken.paint(Span::new(start.0, len), true);
    }
    for region in &map.regions {
        region.address.into_iter().for_each(|address| taken.paint(Span::new(address.0, region.span.len), true));
    }
    let is_free = |word: &u32| {
        (0..4).all(|turn| {
            let turned = word.rotate_left(8 * turn);
            let value =
                if map.pointer_width == 4 { turned.into() } else { u64::from(turned) << 32 | u64::from(turned) };
            taken.at(value) == Some(false)
        })
    };
    WORDS.iter().find(|word| is_free(word)).map(|word| match map.byte_order {
        ByteOrder::Little => word.to_le_bytes(),
        ByteOrder::Big => word.to_be_bytes(),
    })
}

/// The text that a label of this rule repeats.
#[must_use]
pub fn label(rule: &str) -> Vec<u8> {
    fill::label(rule).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Label, Module};
    use crate::span::Address;

    fn painted(ink: Ink, old: &[u8], phase: u64) -> Vec<u8> {
        let mut bytes = old.to_vec();
        ink.paint(&mut bytes, phase, WORDS[0].to_le_bytes(), b"ab ");
        bytes
    }

    #[test]
    fn letters_keep_the_zeros_of_utf_16_and_the_lines_of_base64() {
        let ink = |width, keeps_lines| Ink { mark: Mark::Letters, width, keeps_lines };
        assert_eq!(painted(ink(Width::Narrow, false), b"ab\n=", 0), b"XXXX");
        assert_eq!(painted(ink(Width::Narrow, true), b"ab\r\nc=", 0), b"XX\r\nX=");
        assert_eq!(painted(ink(Width::WideLe, false), b"a\0b\0", 0), b"X\0X\0");
        assert_eq!(painted(ink(Width::WideBe, false), b"\0a\0b", 0), b"\0X\0X");
        assert_eq!(painted(ink(Width::Wide32Le, false), b"a\0\0\0b\0\0\0", 0), b"X\0\0\0X\0\0\0");
        assert_eq!(painted(ink(Width::WideLe, false), b"\0b\0", 1), b"\0X\0", "cut behind the letter's first byte");
    }

    #[test]
    fn a_word_is_aligned_by_address_and_a_label_by_site() {
        let ink = |mark| Ink { mark, width: Width::Narrow, keeps_lines: false };
        assert_eq!(painted(ink(Mark::Word), &[9; 6], 2), [0xef, 0x0d, 0xed, 0xac, 0xef, 0x0d]);
        assert_eq!(painted(ink(Mark::Label), &[9; 5], 1), *b"b ab ");
        assert_eq!(painted(ink(Mark::Zero), &[9; 2], 1), [0, 0]);
    }

    #[test]
    fn the_constant_never_points_into_the_dump() {
        let mut map = DumpMap::blank("test", 0, Label::Slack);
        assert_eq!(word_for(&map), Some(0x0def_aced_u32.to_le_bytes()));
        map.pointer_width = 4;
        let module = |base, size| Module { name: "a".into(), base: Address(base), size, header: None };
        map.modules = vec![module(0x0de0_0000, 0x10_0000)];
        assert_eq!(word_for(&map), Some(0x1def_aced_u32.to_le_bytes()));
        map.modules.push(module(0xaced_0000, 0x1_0000));
        // 0xaced?def is what every word reads as when it is read two bytes further on.
        assert_eq!(word_for(&map), None);
    }
}
