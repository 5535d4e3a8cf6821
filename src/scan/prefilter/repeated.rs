//! Where a byte begins to repeat itself.

use std::ops::Range;

use memchr::memmem;

use crate::detect::REPEATED;

/// Calls `found` for every place in `run` where [`REPEATED`] or more of `byte` begin.
pub fn repeated(bytes: &[u8], run: Range<usize>, byte: u8, mut found: impl FnMut(usize)) {
    let end = run.end.saturating_add(REPEATED - 1).min(bytes.len());
    let is_other = |at: &usize| bytes.get(*at).is_some_and(|other| *other != byte);
    let mut at = run.start;
    while let Some(next) = bytes.get(at..end).and_then(|rest| memmem::find(rest, &[byte; REPEATED])) {
        let begin = at + next;
        // At the begin of the run more of them may stand before it.
        if begin.checked_sub(1).is_none_or(|before| is_other(&before)) {
            found(begin);
        }
        // Where they end the next ones may begin.
        at = (begin + REPEATED..end).find(is_other).unwrap_or(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_equal_the_scalar_reference_however_the_bytes_are_cut() {
        let mut bytes = vec![b'\\'; 9];
        bytes.extend([0, b'\\', b'\\', 1].repeat(3));
        for len in [7, 8, 9, 64, 65, 200] {
            bytes.extend(vec![b'\\'; len]);
            bytes.push(len as u8);
        }
        bytes.extend([b'\\'; 8]);
        let is_byte = |at: usize| bytes.get(at) == Some(&b'\\');
        let begins = |at: &usize| (*at == 0 || !is_byte(at - 1)) && (*at..at + REPEATED).all(is_byte);
        let expected: Vec<usize> = (0..bytes.len()).filter(begins).collect();
        assert_eq!(expected.len(), 7);
        for cut in 0..=bytes.len() {
            let mut places = Vec::new();
            repeated(&bytes, 0..cut, b'\\', |at| places.push(at));
            repeated(&bytes, cut..bytes.len(), b'\\', |at| places.push(at));
            assert_eq!(places, expected, "cut at {cut}");
        }
    }
}
