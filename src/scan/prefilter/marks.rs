//! Which parts of a window hold text at all: most of a process's memory is pointers and small numbers, and there no literal
//! of text is looked for.

use std::ops::Range;

use multiversion::multiversion;

use crate::detect::TEXT;

/// Bytes that one mark stands for.
pub const BLOCK: usize = 32;

/// Bytes of text in a row that earn a mark: the shortest gram that is looked for in marked blocks only.
pub const RUN: usize = 4;

/// A mark for every block in which [`RUN`] bytes of text or more begin; none where none begins, or nobody has looked.
#[derive(Default)]
pub struct Marks(Vec<u8>);

impl Marks {
    /// Forgets everything, and makes room for the blocks of `bytes`.
    pub fn clear(&mut self, bytes: &[u8]) {
        self.0.clear();
        self.0.resize(bytes.len().div_ceil(BLOCK), 0);
    }

    /// Looks at every block that `range` touches.
    pub fn look(&mut self, bytes: &[u8], range: Range<usize>) {
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
        let seen = bytes.get(blocks.start * BLOCK..).unwrap_or_default();
        mark(seen, self.0.get_mut(blocks).unwrap_or_default());
    }

    /// The marks of the blocks that `range` touches.
    pub fn of(&self, range: Range<usize>) -> &[u8] {
        self.0.get(range.start / BLOCK..range.end.div_ceil(BLOCK).min(self.0.len())).unwrap_or_default()
    }
}

/// Whether a byte may be part of text.
#[inline]
pub fn is_text(byte: u8) -> bool {
    byte.wrapping_sub(*TEXT.start()) <= *TEXT.end() - *TEXT.start()
}

/// Writes the mark of each block of `bytes`: without branches inside a block, so that it becomes vector code. The last block,
/// behind which nothing is seen, is marked.
#[multiversion(targets("x86_64+avx2", "x86_64+sse4.2"))]
fn mark(bytes: &[u8], marks: &mut [u8]) {
    let text = |byte: u8| u8::from(is_text(byte));
    let whole = bytes.len().saturating_sub(RUN - 1) / BLOCK;
    let blocks = bytes.windows(BLOCK + RUN - 1).step_by(BLOCK);
    for (mark, block) in marks.iter_mut().zip(blocks) {
        let behind = |n: usize| block.get(n..).and_then(|rest| rest.first_chunk::<BLOCK>());
        let (Some(first), Some(second), Some(third), Some(fourth)) = (behind(0), behind(1), behind(2), behind(3))
        else {
            break;
        };
        let runs = first.iter().zip(second).zip(third).zip(fourth);
        *mark = runs.fold(0, |any, (((a, b), c), d)| any | (text(*a) & text(*b) & text(*c) & text(*d)));
    }
    marks.iter_mut().skip(whole).for_each(|mark| *mark = 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_equal_the_scalar_reference() {
        let mut seed = 7_u64;
        for len in [0, 1, 3, 31, 32, 34, 35, 36, 64, 67, 1000, 4096] {
            let mut bytes = vec![0_u8; len];
            for byte in &mut bytes {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = if seed >> 62 == 0 { (seed >> 40) as u8 } else { b"\t~a\x08\x7f"[(seed >> 32) as usize % 5] };
            }
            let mut marks = Marks::default();
            marks.clear(&bytes);
            marks.look(&bytes, 0..len);
            for (i, &mark) in marks.of(0..len).iter().enumerate() {
                let run = |at: usize| bytes.get(at..at + RUN).is_some_and(|run| run.iter().all(|&b| is_text(b)));
                let begins = (i * BLOCK..(i + 1) * BLOCK).any(run);
                let last = (i + 1) * BLOCK + RUN - 1 > len;
                assert_eq!(mark == 1, begins || last, "block {i} of {len} bytes");
            }
        }
    }

    #[test]
    fn what_nobody_has_looked_at_has_no_mark() {
        let bytes = vec![b'a'; 10 * BLOCK];
        let mut marks = Marks::default();
        marks.clear(&bytes);
        marks.look(&bytes, 100..130);
        assert_eq!(marks.of(0..bytes.len()), [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
    }
}
