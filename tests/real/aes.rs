//! The round keys of AES by FIPS 197, computed the plain way.

/// A product in the field of AES.
fn times(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= if b >> bit & 1 == 1 { a } else { 0 };
        a = a << 1 ^ if a >> 7 == 1 { 0x1b } else { 0 };
    }
    product
}

fn substitute(byte: u8) -> u8 {
    let inverse = (0..=255).find(|other| times(byte, *other) == 1).unwrap_or(0);
    (1..5).fold(inverse ^ 0x63, |sum, by| sum ^ inverse.rotate_left(by))
}

/// The round keys of a key.
pub fn round_keys(key: &[u8]) -> Vec<[u8; 16]> {
    let (len, rounds) = (key.len() / 4, key.len() / 4 + 6);
    let mut words: Vec<[u8; 4]> = key.as_chunks().0.to_vec();
    let mut constant = 1;
    for i in len..4 * (rounds + 1) {
        let mut word = words[i - 1];
        if i % len == 0 {
            word.rotate_left(1);
            word = word.map(substitute);
            word[0] ^= constant;
            constant = times(constant, 2);
        } else if len == 8 && i % len == 4 {
            word = word.map(substitute);
        }
        let before = words[i - len];
        words.push(std::array::from_fn(|at| word[at] ^ before[at]));
    }
    words.as_flattened().as_chunks().0.to_vec()
}

/// A round key as it is used to decrypt (FIPS 197, section 5.3.5): InvMixColumns of it.
pub fn mixed(round_key: &[u8; 16]) -> [u8; 16] {
    let factors = [14, 11, 13, 9];
    std::array::from_fn(|at| {
        let column = &round_key[at / 4 * 4..at / 4 * 4 + 4];
        (0..4).fold(0, |sum, i| sum ^ times(column[i], factors[(i + 4 - at % 4) % 4]))
    })
}

/// With the bytes of each word reversed: what a program keeps that computes with words of 32 bits.
pub fn swapped(round_key: &[u8; 16]) -> [u8; 16] {
    let mut words = *round_key;
    words.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    words
}
