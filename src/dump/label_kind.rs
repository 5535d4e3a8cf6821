//! Labels by kind, for whoever asks "is it in the environment?" and not "in which module?": policies do.

use serde::{Deserialize, Serialize};

use crate::dump::Label;

/// What kind of memory, whichever thread or module it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelKind {
    /// The file's own header and directory.
    Header,
    /// A named stream of the file.
    Stream,
    /// A thread's stack.
    Stack,
    /// A thread's saved registers.
    Registers,
    /// A loaded module's image.
    Module,
    /// A thread's environment block (TEB).
    Teb,
    /// The process environment block (PEB) and what hangs on it for the loader.
    Peb,
    /// The environment: `NAME=value` strings.
    Environment,
    /// The command line.
    CommandLine,
    /// Heap.
    Heap,
    /// Memory of which nothing more is known.
    Memory,
    /// Bytes that no record of the file accounts for.
    Slack,
    /// The file is of no known format.
    Unknown,
}

impl Label {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> LabelKind {
        match self {
            Self::Header => LabelKind::Header,
            Self::Stream(_) => LabelKind::Stream,
            Self::Stack(_) => LabelKind::Stack,
            Self::Registers(_) => LabelKind::Registers,
            Self::Module(_) => LabelKind::Module,
            Self::Teb(_) => LabelKind::Teb,
            Self::Peb => LabelKind::Peb,
            Self::Environ => LabelKind::Environment,
            Self::CommandLine => LabelKind::CommandLine,
            Self::Heap => LabelKind::Heap,
            Self::Memory => LabelKind::Memory,
            Self::Slack => LabelKind::Slack,
            Self::Unknown => LabelKind::Unknown,
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelKinds(u16);

impl LabelKinds {
    /// Puts one in.
    pub fn insert(&mut self, kind: LabelKind) {
        self.0 |= 1 << kind as u16;
    }

    /// Whether it is in.
    #[must_use]
    pub fn contains(self, kind: LabelKind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }

    /// Both together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether both have something.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<LabelKind> for LabelKinds {
    fn from_iter<I: IntoIterator<Item = LabelKind>>(kinds: I) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: LabelKinds = [LabelKind::Header, LabelKind::Unknown].into_iter().collect();
        assert!(set.contains(LabelKind::Header) && set.contains(LabelKind::Unknown));
        assert!(!set.contains(LabelKind::Heap) && !set.is_empty() && LabelKinds::default().is_empty());
        let heap: LabelKinds = [LabelKind::Heap].into_iter().collect();
        assert!(!set.intersects(heap) && set.union(heap).intersects(heap));
        assert_eq!(set.union(heap).without(set), heap);
    }
}
