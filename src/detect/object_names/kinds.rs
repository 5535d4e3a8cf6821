//! How strings of language runtimes begin: the header before their letters, which tells how many there are.
//!
//! Source: `PyASCIIObject` in Include/cpython/unicodeobject.h, words of 8 bytes: count of references, type, length, hash, a word with
//! the state in its first byte, up to 3.11 one word more (`wstr`), and the letters with a NUL behind them. The state of a
//! string of ASCII is told by its bits: one byte for each letter (`kind`, bits 2 to 4), compact, ascii. Only processes of 64 bits in
//! little-endian order are known here, and none of the build without the global lock.

/// How a string is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of CPython from 3.12 on.
    Python312,
    /// Of CPython up to 3.11.
    Python311,
    /// Of PHP.
    Php,
    /// A key of hashes of Perl.
    Perl,
    /// Of Ruby.
    Ruby,
    /// An array of OpenJDK.
    Java,
    /// A string of V8.
    Node,
    /// A symbol of OpenJDK.
    JavaSymbol,
    /// Of Lua.
    Lua,
    /// Of .NET, whose letters have two bytes each.
    DotNet,
    /// Of Mono, whose letters have two bytes each.
    Mono,
}

/// All kinds.
pub(super) const KINDS: [Kind; 9] = [
    Kind::Python312,
    Kind::Python311,
    Kind::Php,
    Kind::Perl,
    Kind::Ruby,
    Kind::Java,
    Kind::Node,
    Kind::JavaSymbol,
    Kind::Lua,
];
/// Those whose letters have two bytes each.
pub(super) const WIDE: [Kind; 2] = [Kind::DotNet, Kind::Mono];
/// Bytes of the longest header.
pub(super) const HEADER: usize = 48;

impl Kind {
    /// Bytes before the letters.
    #[must_use]
    pub fn header(self) -> usize {
        match self {
            Self::Python312 => 40,
            Self::Python311 => 48,
            Self::Php | Self::Lua => 24,
            Self::Perl => 8,
            Self::Java | Self::Node | Self::Ruby => 16,
            Self::JavaSymbol => 6,
            Self::DotNet => 12,
            Self::Mono => 20,
        }
    }

    /// Bytes of a letter.
    #[must_use]
    pub fn letter(self) -> usize {
        1 + usize::from(WIDE.contains(&self))
    }

    /// How many letters a string has, if this may be its header.
    #[must_use]
    pub fn length(self, header: &[u8]) -> Option<usize> {
        match self {
            Self::Python312 | Self::Python311 => python(header),
            Self::Php => php(header),
            Self::Perl => word(header, 0).map(|word| word >> 32).filter(|len| *len > 0),
            Self::Ruby => ruby(header),
            Self::Java => java(header),
            Self::Node => node(header),
            Self::JavaSymbol => symbol(header),
            Self::Lua => lua(header),
            Self::DotNet => managed(header, 8),
            Self::Mono => managed(header, 16).filter(|_| word(header, 8) == Some(0)),
        }
    }
}

/// The length of a string of CPython that is of ASCII.
fn python(header: &[u8]) -> Option<usize> {
    // Whether it is interned or static says nothing, and nobody clears the bytes behind these bits.
    const OTHERS: u8 = 0x83;
    const ASCII: u8 = 0x64;
    let is_ascii = header.get(32).is_some_and(|state| state & !OTHERS == ASCII);
    word(header, 16).filter(|_| is_ascii)
}

/// The length of a string of PHP: `zend_string` has a count of references, four bytes of which the first says that it is a string, a hash, and
/// the length. No collector keeps record of it.
fn php(header: &[u8]) -> Option<usize> {
    const STRING: usize = 6;
    let is_string = word(header, 0).is_some_and(|word| word >> 32 & 0xf == STRING && word >> 42 == 0);
    word(header, 16).filter(|_| is_string)
}

/// The length of a string of Ruby up to 3.1 whose letters stand in it: a word of flags, with the kind of object and the length, and the class.
fn ruby(header: &[u8]) -> Option<usize> {
    let flags = word(header, 0).filter(|flags| flags & 0x1f == 5 && flags >> 13 & 1 == 0 && flags >> 32 == 0)?;
    let has_class = word(header, 8).is_some_and(|class| class & 7 == 0 && (0x1000..1 << 47).contains(&class));
    has_class.then_some(flags >> 14 & 0x1f)
}

/// The length of an array of OpenJDK that nobody has locked: a word of state, four bytes for the class, and the length.
fn java(header: &[u8]) -> Option<usize> {
    let is_object = word(header, 0).is_some_and(|state| state >> 39 == 0 && matches!(state & 7, 1 | 5));
    let has_class = || word(header, 8).is_some_and(|word| word & 0xffff_ffff != 0);
    word(header, 8).filter(|_| is_object && has_class()).map(|word| word >> 32)
}

/// The length of a string of V8 whose letters have one byte each: a pointer to its map, to which one was added, a hash, and the length.
fn node(header: &[u8]) -> Option<usize> {
    let has_map = word(header, 0).is_some_and(|map| map & 7 == 1 && (0x1000..1 << 47).contains(&map));
    word(header, 8).filter(|_| has_map).map(|word| word >> 32)
}

/// The length of a symbol of OpenJDK: four bytes with a count of references and a hash, and the length.
fn symbol(header: &[u8]) -> Option<usize> {
    let [low, high, _, _, len @ ..] = *header.first_chunk::<6>()?;
    (low | high != 0).then(|| usize::from(u16::from_le_bytes(len)))
}

/// The length of a short string of Lua 5.4, which is kept once for all of the same letters: pointers to the next object and, behind its kind, the color that
/// the collector gave it, that it is no word of the language, its length and four bytes of a hash, to the next string.
fn lua(header: &[u8]) -> Option<usize> {
    const SHORT: u8 = 4;
    let [kind, _, word_of_language, len, ..] = *header.get(8..)?.first_chunk::<8>()?;
    let may_be_pointer =
        |at| word(header, at).is_some_and(|word| word == 0 || word & 7 == 0 && (0x1000..1 << 47).contains(&word));
    let is_short = kind == SHORT && word_of_language == 0;
    (is_short && may_be_pointer(0) && may_be_pointer(16)).then_some(usize::from(len))
}

/// The length of a string of .NET or Mono, which is four bytes: a pointer to its class, and in Mono a word for whoever locks it.
fn managed(header: &[u8], at: usize) -> Option<usize> {
    let has_class = word(header, 0).is_some_and(|class| class & 7 == 0 && (0x1000..1 << 47).contains(&class));
    let len = header.get(at..)?.first_chunk().map(|len| u32::from_le_bytes(*len))?;
    usize::try_from(len).ok().filter(|_| has_class)
}

/// Whether a string of so many letters may end before this byte.
pub(super) fn is_end(kind: Kind, len: usize, next: Option<u8>) -> bool {
    // What fills whole words is followed by the next object: its state, or a pointer to its map.
    let follows = |bits: &[u8]| len.is_multiple_of(8) && next.is_some_and(|next| bits.contains(&(next & 7)));
    matches!(kind, Kind::JavaSymbol)
        || next == Some(0)
        || kind == Kind::Java && follows(&[1, 5])
        || kind == Kind::Node && follows(&[1])
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at + 8)?.first_chunk()?;
    usize::try_from(u64::from_le_bytes(*word)).ok()
}
