//! AES keys by their round keys, which stand in memory as long as a cipher is in use: often the only form the key has there.
//!
//! The trigger is a linear test that random bytes do not pass (see `aes_words` in `scan::prefilter`); what passes is recomputed. Two round
//! keys and the sums between them may stand in one of these layouts:
//!
//! | who | order of rounds | words | transformed for decryption |
//! |---|---|---|---|
//! | OpenSSL with AES-NI or ARMv8, SymCrypt, libgcrypt | 0..Nr | as FIPS 197 | no |
//! | the same, to decrypt | Nr..0 | as FIPS 197 | all but 0 and Nr |
//! | OpenSSL in C, nettle, Go, OpenJDK | 0..Nr | swapped on little-endian machines | no |
//! | the same in C, to decrypt | Nr..0 | swapped | all but 0 and Nr |
//! | OpenJDK, to decrypt | 0, Nr..1 | swapped | all but 0 and Nr |
//!
//! SymCrypt's two schedules of one key share the round key Nr. From the part that triggered the key is computed, from the key
//! the whole schedule, and then memory is compared with that, word by word in both directions. So a schedule of which only
//! a part is left is found too: two round keys in a row of AES-128, three of the others, and sometimes four of AES-192 in
//! reverse order. Each word that was made with the S-box speaks for 32 bits beyond the sums; with two of them the key counts
//! as proven, with one as parsed.

use std::ops::Range;

use super::{Candidate, Detector, Hit, Hits, Reach, Trigger};
use crate::finding::{Encoding, Evidence, Form, Layout, Piece, PublicIdentity, Rule, Severity, state_of_generator};
use crate::hunt::Clue;
use crate::keys::aes::{self, Schedule, Size, Word};
use crate::keys::selftest;
use crate::vault::Secret;
use crate::window::Window;

/// The rule of AES keys.
pub const RULE: &str = "aes-key";

/// Bytes of a word, as an offset.
const WORD: isize = 4;
/// Words of a round key.
const ROUND: usize = 4;
/// The longest schedule, in bytes: 15 round keys, and the one that OpenJDK puts before.
const LONGEST: usize = 16 * 16;
/// Bytes of the round keys of AES-256.
const AES_256: usize = 240;
/// Bytes behind them in BoringSSL's random generator: rounds, two functions, a block that counts, a count.
const GENERATOR: usize = 3 * 8 + 16 + 8;
/// Words made with the S-box that prove a schedule: 64 bits beyond the sums.
const PROOF: usize = 2;

/// Finds AES round keys.
pub struct AesSchedule;

impl Detector for AesSchedule {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "AES key",
            Severity::High,
            "A key of AES, found by its round keys: it opens what was encrypted with it, on disk or on the wire.",
            "Find what the process encrypts with it; replace the key, and encrypt again what must stay secret.",
        )]
    }

    fn trigger(&self) -> Trigger {
        Trigger::AesWords
    }

    fn reach(&self) -> Reach {
        Reach { before: LONGEST, after: LONGEST }
    }

    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits) {
        let known = |hit: &Hit| hit.rule == RULE && hit.range.contains(&candidate.at);
        if out.hits.iter().rev().take(8).any(known) {
            return;
        }
        let found = RELATIONS.iter().find_map(|relation| relation.find(window.bytes(), candidate.at));
        if let Some(found) = found {
            let key = found.schedule.key();
            out.clues.push(Clue::CipherKey { sha256: selftest::digest(&key), len: key.len() });
            out.hits.push(found.hit(window.bytes()));
        }
    }
}

/// One of the linear tests: which words of a run of memory are the sum of which others.
struct Relation {
    size: Size,
    /// Whether the rounds stand in reverse order.
    reverse: bool,
    /// For each word of the run, the distances in words to the other two of its sum.
    sums: [(isize, isize); 3],
    /// How many words before the run the part may begin that is enough for the key. A run has three words where it does not
    /// last longer; of the five that AES-192 has in a row the first three or the last three may be all that is left.
    before: std::ops::RangeInclusive<isize>,
}

const RELATIONS: [Relation; 6] = [
    Relation { size: Size::Aes128, reverse: false, sums: [(4, 3); 3], before: 1..=1 },
    Relation { size: Size::Aes192, reverse: false, sums: [(6, 5); 3], before: 0..=3 },
    Relation { size: Size::Aes256, reverse: false, sums: [(8, 7); 3], before: 1..=1 },
    Relation { size: Size::Aes128, reverse: true, sums: [(4, -1); 3], before: 1..=1 },
    // A round's second word is made with the last but one of the round that stands two further on, its third and fourth with
    // the first two of the next.
    Relation { size: Size::Aes192, reverse: true, sums: [(10, -1), (2, -1), (2, -1)], before: 1..=1 },
    Relation { size: Size::Aes256, reverse: true, sums: [(8, -1); 3], before: 1..=1 },
];

impl Relation {
    /// The schedule with a run of sums of which the eight bytes from `at` on are a part.
    fn find(&self, bytes: &[u8], at: usize) -> Option<Found> {
        let at = isize::try_from(at).ok()?;
        let mut runs = (at - WORD..=at).filter(|&run| self.holds(bytes, run));
        runs.find_map(|run| self.before.clone().find_map(|words| self.schedule(bytes, run - WORD * words)))
    }

    fn holds(&self, bytes: &[u8], run: isize) -> bool {
        let number = |at| word_at(bytes, at).map(u32::from_ne_bytes);
        let sum = |at, (a, b)| Some(number(at)? ^ number(at + WORD * a)? ^ number(at + WORD * b)?);
        (0..).zip(self.sums).all(|(i, distances)| sum(run + WORD * i, distances) == Some(0))
    }

    /// The schedule of which a part stands at `start`.
    fn schedule(&self, bytes: &[u8], start: isize) -> Option<Found> {
        let len = if self.size == Size::Aes128 { 2 * ROUND } else { 3 * ROUND };
        let part = (0..).take(len).map(|i| word_at(bytes, start + WORD * i)).collect::<Option<Vec<Word>>>()?;
        let mut found: Vec<Found> =
            STORED.iter().flat_map(|stored| self.stored_so(bytes, start, &part, *stored)).collect();
        found.sort_by_key(|found| found.words.len());
        let ambiguous = matches!(found.as_slice(), [.., a, b] if a.words.len() == b.words.len());
        found.pop().map(|best| Found { ambiguous, ..best })
    }

    /// The schedules that the part may be of if it is stored in this way.
    fn stored_so(&self, bytes: &[u8], start: isize, part: &[Word], stored: Stored) -> Vec<Found> {
        let mut words: Vec<Word> = part.iter().map(|word| stored.read(*word)).collect();
        if self.reverse {
            words = words.rchunks(ROUND).flatten().copied().collect();
        }
        let schedules = Schedule::of_part(self.size, &words).into_iter();
        let around = |(schedule, first)| Found::around(bytes, start, schedule, self.orders(first), stored);
        schedules.filter_map(around).filter(|found| found.words.len() >= part.len()).collect()
    }

    /// The orders that words may have in memory, and where in them the part stands that begins with word `first`.
    fn orders(&self, first: usize) -> Vec<(Vec<usize>, usize)> {
        let words: Vec<usize> = (0..self.size.words()).collect();
        if !self.reverse {
            return vec![(words, first)];
        }
        let rounds_of = |words: &[usize]| words.rchunks(ROUND).flatten().copied().collect::<Vec<_>>();
        let (whole, (head, tail)) = (rounds_of(&words), words.split_at(ROUND));
        let java = [head, &rounds_of(tail)].concat();
        // The part has two rounds or three; the one that stands first is the last in the order of encryption.
        let last = first + if self.size == Size::Aes128 { ROUND } else { 2 * ROUND };
        let place = |order: Vec<usize>| order.iter().position(|&i| i == last).map(|at| (order, at));
        [whole, java].into_iter().filter_map(place).collect()
    }
}

/// How words are stored.
#[derive(Clone, Copy)]
struct Stored {
    swapped: bool,
    /// Transformed by InvMixColumns, as decryption needs them.
    inverse: bool,
}

const STORED: [Stored; 4] = [
    Stored { swapped: false, inverse: false },
    Stored { swapped: true, inverse: false },
    Stored { swapped: false, inverse: true },
    Stored { swapped: true, inverse: true },
];

impl Stored {
    fn read(self, mut word: Word) -> Word {
        if self.swapped {
            word.reverse();
        }
        if self.inverse { aes::mix(word) } else { word }
    }

    /// Word `i` of the schedule as memory holds it.
    fn word(self, schedule: &Schedule, i: usize) -> Option<Word> {
        let mut word = if self.inverse { schedule.inverse_word(i) } else { schedule.word(i) }?;
        if self.swapped {
            word.reverse();
        }
        Some(word)
    }
}

/// A schedule, and the bytes that hold it or a part of it.
struct Found {
    schedule: Schedule,
    stored: Stored,
    range: Range<usize>,
    /// The words of the schedule that stand there.
    words: Vec<usize>,
    /// Whether they may be those of another schedule as well: three round keys of AES-256 between which there is neither a
    /// round constant nor a rotation, so that even the order of bytes in words cannot be told.
    ambiguous: bool,
}

impl Found {
    /// What stands of the schedule around `start`, in the order of which most is there.
    fn around(
        bytes: &[u8],
        start: isize,
        schedule: Schedule,
        orders: Vec<(Vec<usize>, usize)>,
        stored: Stored,
    ) -> Option<Self> {
        let stands = |at: isize, i: usize| word_at(bytes, at).is_some_and(|w| stored.word(&schedule, i) == Some(w));
        let longest = orders.iter().map(|(order, place)| {
            let (before, behind) = order.split_at_checked(*place).unwrap_or_default();
            let back = (1..).zip(before.iter().rev()).take_while(|&(n, &i)| stands(start - WORD * n, i)).count();
            let on = (0..).zip(behind).take_while(|&(n, &i)| stands(start + WORD * n, i)).count();
            (back, on, order.iter().skip(place - back).take(back + on).copied().collect::<Vec<_>>())
        });
        let (back, on, words) = longest.max_by_key(|(back, on, _)| back + on).filter(|(_, on, _)| *on > 0)?;
        let start = usize::try_from(start - WORD * isize::try_from(back).ok()?).ok()?;
        Some(Self {
            range: start..start + (back + on) * WORD.unsigned_abs(),
            schedule,
            stored,
            words,
            ambiguous: false,
        })
    }

    fn hit(self, bytes: &[u8]) -> Hit {
        let key = self.schedule.key();
        let secret = if self.ambiguous { bytes.get(self.range.clone()).unwrap_or_default() } else { &key };
        let mut public = PublicIdentity { kind: self.schedule.size().name().to_owned(), ..PublicIdentity::default() };
        let generator = self.is_in_a_generator(bytes).then(|| state_of_generator("BoringSSL"));
        let public_key = selftest::symmetric(&key);
        let known = public_key.map(str::to_owned).or(generator);
        let severity = known.as_ref().map(|_| Severity::Info);
        public.add_context(known.into_iter().collect());
        let encoding = if self.stored.swapped { Encoding::Swapped32 } else { Encoding::Plain };
        Hit {
            rule: RULE.to_owned(),
            severity,
            evidence: self.evidence(),
            public,
            secret: if public_key.is_some() { Secret::known(secret) } else { Secret::bytes(secret) },
            range: self.range,
            form: Form { layout: Layout::KeySchedule, encoding, piece: Piece::Schedule },
        }
    }

    /// Whether it is the key of BoringSSL's random generator, of which each thread has one: `CTR_DRBG_STATE` in
    /// crypto/fipsmodule/rand/internal.h (`AES_KEY ks; block128_f block; ctr128_f ctr; uint8_t counter[16]; uint64_t
    /// reseed_counter`). The counter is encrypted counting, so it looks random, and no generator counts to more than 4096
    /// (`kReseedInterval`). What an application encrypts with has neither behind its functions.
    fn is_in_a_generator(&self, bytes: &[u8]) -> bool {
        let is_whole = self.range.len() == AES_256 && !self.stored.inverse && !self.stored.swapped;
        let behind = bytes.get(self.range.end..).and_then(|rest| rest.first_chunk::<GENERATOR>());
        let Some((head, counter)) = behind.and_then(|behind| behind.split_at_checked(3 * 8)) else { return false };
        let words = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>();
        let (head, reseeds) = (words(head), words(counter.get(16..).unwrap_or_default()));
        let (&[rounds, block, ctr], &[reseeds]) = (head.as_slice(), reseeds.as_slice()) else { return false };
        let is_function = |pointer: u64| (0x1_0000..1 << 47).contains(&pointer);
        let different = counter.iter().take(16).collect::<std::collections::BTreeSet<_>>().len();
        is_whole
            && matches!(rounds, 13 | 14)
            && is_function(block)
            && is_function(ctr)
            && different >= 10
            && (1..=4096).contains(&reseeds)
    }

    fn evidence(&self) -> Evidence {
        let size = self.schedule.size();
        let stands = |i: Option<usize>| i.is_some_and(|i| self.words.contains(&i));
        let made = |&&i: &&usize| {
            size.is_substituted(i) && stands(i.checked_sub(1)) && stands(i.checked_sub(size.key_words()))
        };
        if self.words.iter().filter(made).count() >= PROOF { Evidence::Proven } else { Evidence::Parsed }
    }
}

fn word_at(bytes: &[u8], at: isize) -> Option<Word> {
    bytes.get(usize::try_from(at).ok()?..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
