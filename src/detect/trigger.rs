//! What makes a place worth a detector's look.

use std::ops::RangeInclusive;

/// The bytes that text is made of, for the one look at every byte: from the tab to the tilde. What lies between the tab and the
/// blank is let in, because one comparison is cheaper than two and hardly any memory is made of it.
pub const TEXT: RangeInclusive<u8> = b'\t'..=b'~';

/// How many of one byte make it a repeated one.
pub const REPEATED: usize = 8;

/// What makes a place worth a look.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// Any of these literals, in ASCII and (where the flag says so) in UTF-16 at either parity. At least 3 bytes each.
    Literals(Vec<Literal>),
    /// A place that a DER key structure or one of its INTEGERs may start at: see `scan::prefilter`.
    DerInteger,
    /// A place where [`REPEATED`] or more of this byte begin. Pages that hold nothing else are passed over.
    Repeated(u8),
    /// Every window once, whatever is in it.
    Window,
    /// A place where two words in a row are sums as those of AES round keys are: see `scan::prefilter`.
    AesWords,
}

/// A literal that triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The bytes, compared exactly.
    pub bytes: Vec<u8>,
    /// Whether UTF-16 spellings trigger too.
    pub wide: bool,
    /// The bytes of which one stands behind it wherever it counts; none where nobody knows. Worth knowing of a literal of
    /// three letters, which is looked for with each of them.
    pub next: Option<Vec<u8>>,
}

impl Literal {
    /// A literal of text, in ASCII and UTF-16.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { wide: true, ..Self::binary(text.as_bytes()) }
    }

    /// A literal of binary bytes.
    #[must_use]
    pub fn binary(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), wide: false, next: None }
    }
}

/// Bytes that a detector must be able to see around its trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Before the trigger's first byte.
    pub before: usize,
    /// From the trigger's first byte on.
    pub after: usize,
}

/// A place worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Position in the window of the trigger's first byte (of its first letter, in UTF-16).
    pub at: usize,
    /// Which of the detector's literals it was; 0 for other triggers.
    pub literal: usize,
    /// Whether the letters stand two bytes apart.
    pub wide: bool,
}
