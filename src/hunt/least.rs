//! As many of what a dump holds as there is room for: those with the least keys, so that neither the order in which windows tell of
//! them nor the number of threads matters.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Values by their keys, up to a number.
#[derive(Debug)]
pub struct Least<K, V> {
    kept: BTreeMap<K, V>,
    most: usize,
    dropped: usize,
}

impl<K: Ord, V> Least<K, V> {
    /// None, and room for `most`.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { kept: BTreeMap::new(), most, dropped: 0 }
    }

    /// Keeps a value, or lets what is kept by its key `merge` with it. Where there is no more room the greatest goes.
    pub fn add(&mut self, key: K, value: V, merge: impl FnOnce(&mut V, V)) {
        if self.last().is_some_and(|last| *last < key) {
            self.dropped += 1;
            return;
        }
        match self.kept.entry(key) {
            Entry::Occupied(mut known) => merge(known.get_mut(), value),
            Entry::Vacant(place) => drop(place.insert(value)),
        }
        if self.kept.len() > self.most {
            self.kept.pop_last();
            self.dropped += 1;
        }
    }

    /// The greatest key, where there is no room behind it.
    #[must_use]
    pub fn last(&self) -> Option<&K> {
        self.kept.last_key_value().filter(|_| self.kept.len() >= self.most).map(|(last, _)| last)
    }

    /// How often something was not kept.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// What is kept, in the order of the keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.kept.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::noise;

    #[test]
    fn the_least_are_kept_in_any_order_alike_and_what_is_kept_is_merged() {
        let keys: Vec<u8> = noise(500, 4);
        let (mut one, mut two) = (Least::new(40), Least::new(40));
        keys.iter().for_each(|key| one.add(*key, 1, |known, more| *known += more));
        keys.iter().rev().for_each(|key| two.add(*key, 1, |known, more| *known += more));
        let mut want: BTreeMap<u8, usize> = BTreeMap::new();
        keys.iter().for_each(|key| *want.entry(*key).or_default() += 1);
        let most = *want.keys().nth(39).unwrap();
        let want: Vec<usize> = want.into_values().take(40).collect();
        assert!(one.values().eq(&want) && two.values().eq(&want));
        assert!(one.len() == 40 && one.last() == Some(&most) && one.dropped() > 0 && two.dropped() > 0);
        let mut few = Least::new(2);
        few.add(1, 1, |_, _| ());
        assert!(few.last().is_none() && few.dropped() == 0);
    }
}
