//! Text in UTF-16, narrowed once: the letters of every run of it, one byte each, with a map back to where they stand.
//!
//! One search of the narrow letters then serves both byte orders and both parities: what they have in common is letters with
//! a zero between each two. A run has three letters at least, because no literal has fewer.

use std::ops::{Range, RangeInclusive};

use multiversion::multiversion;

/// Bytes that are tested for a run's begin at once.
const BLOCK: usize = 256;

/// Bytes from the first letter of the shortest run to its last: `l 0 i 0 t`.
const SHORTEST: usize = 5;

/// Bytes of a run that are narrowed at once.
const STRIDE: usize = 32;

/// The letters of the runs of UTF-16 in a window, with a zero byte behind each run.
#[derive(Default)]
pub struct Narrow {
    letters: Vec<u8>,
    runs: Vec<Run>,
    /// Where the last run ends.
    next: usize,
}

/// Where the letters of one run begin, among the letters and in the window.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: usize,
    at: usize,
}

impl Narrow {
    /// The letters.
    pub fn letters(&self) -> &[u8] {
        &self.letters
    }

    /// Where in the window the letter `index` stands.
    pub fn at(&self, index: usize) -> usize {
        let run = self.runs.partition_point(|run| run.first <= index).checked_sub(1).and_then(|i| self.runs.get(i));
        run.map_or(0, |run| run.at + 2 * (index - run.first))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.letters.clear();
        self.runs.clear();
        self.next = 0;
    }

    /// Adds the runs that begin in `range` and are made of `alphabet`, which zero is not part of. Ranges come in order.
    pub fn add(&mut self, bytes: &[u8], range: Range<usize>, alphabet: &RangeInclusive<u8>) {
        let mut begins = [0; BLOCK];
        let mut at = range.start.max(self.next);
        while at < range.end {
            let end = (at + BLOCK).min(range.end);
            let block = bytes.get(at..(end + SHORTEST - 1).min(bytes.len())).unwrap_or_default();
            at = if has_run(block, *alphabet.start(), *alphabet.end(), &mut begins) {
                self.add_of_block(bytes, at..end, alphabet, &begins)
            } else {
                end
            };
        }
    }

    /// Adds the runs that begin in a block, and tells where to go on.
    fn add_of_block(
        &mut self,
        bytes: &[u8],
        block: Range<usize>,
        alphabet: &RangeInclusive<u8>,
        begins: &[u8; BLOCK],
    ) -> usize {
        let mut at = block.start;
        while let Some(rest) = begins.get(at - block.start..block.len())
            && let Some(begin) = memchr::memchr(1, rest)
        {
            at = self.add_run(bytes, at + begin, alphabet);
        }
        at.max(block.end)
    }

    /// Adds the run that begins at `at`, and tells where its last letter ends. Runs do not overlap: where one has letters
    /// another of the other parity would need them, and there the first has its zeros.
    fn add_run(&mut self, bytes: &[u8], at: usize, alphabet: &RangeInclusive<u8>) -> usize {
        self.runs.push(Run { first: self.letters.len(), at });
        let rest = bytes.get(at..).unwrap_or_default();
        let mut len = 0;
        for stride in rest.chunks_exact(STRIDE) {
            if !is_all_wide(stride, *alphabet.start(), *alphabet.end()) {
                break;
            }
            self.letters.extend(stride.iter().step_by(2));
            len += STRIDE;
        }
        let pairs = rest.get(len..).unwrap_or_default().chunks(2);
        for pair in pairs {
            match pair {
                [letter, 0] if alphabet.contains(letter) => self.letters.push(*letter),
                [letter, ..] if alphabet.contains(letter) => {
                    // The last letter of big-endian text has no zero behind it.
                    self.letters.push(*letter);
                    len += 2;
                    break;
                }
                _ => break,
            }
            len += 2;
        }
        self.letters.push(0);
        self.next = at + len.saturating_sub(1);
        self.next
    }
}

/// Whether a run begins anywhere but in the last bytes, and 1 for each place where one does: written without branches so that it
/// becomes vector code.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.2"))]
fn has_run(block: &[u8], low: u8, high: u8, begins: &mut [u8; BLOCK]) -> bool {
    let letter = |b: u8| u8::from(b.wrapping_sub(low) <= high.wrapping_sub(low));
    // Mostly there is none in a whole block: then nothing is written down.
    if let Some(whole) = block.first_chunk::<{ BLOCK + SHORTEST - 1 }>() {
        let any = whole.windows(SHORTEST).fold(0, |any, run| match *run {
            [a, b, c, d, e] => any | letter(a) & letter(c) & letter(e) & u8::from(b | d == 0),
            _ => any,
        });
        if any == 0 {
            return false;
        }
    }
    let behind = |n: usize| block.get(n..).unwrap_or_default();
    let letters = block.iter().zip(behind(2)).zip(behind(4));
    let zeros = behind(1).iter().zip(behind(3));
    begins.fill(0);
    begins.iter_mut().zip(letters.zip(zeros)).fold(0_u8, |any, (begin, (((&a, &c), &e), (&b, &d)))| {
        *begin = letter(a) & letter(c) & letter(e) & u8::from(b == 0) & u8::from(d == 0);
        any | *begin
    }) != 0
}

/// Whether the bytes are letters with a zero behind each.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.2"))]
fn is_all_wide(pairs: &[u8], low: u8, high: u8) -> bool {
    pairs.chunks_exact(2).fold(1_u8, |all, pair| match *pair {
        [letter, zero] => all & u8::from(letter.wrapping_sub(low) <= high.wrapping_sub(low)) & u8::from(zero == 0),
        _ => 0,
    }) != 0
}
