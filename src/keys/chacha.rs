//! A block of ChaCha20. The one home of `chacha20`.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
use zeroize::Zeroizing;

/// Bytes of a state and of a block.
pub const STATE: usize = 64;

/// The block that a state makes (RFC 8439, section 2.3): four constants, the key, a counter of 32 bits, 12 bytes of nonce.
#[must_use]
pub fn block(state: &[u8; STATE]) -> Option<Zeroizing<[u8; STATE]>> {
    let (key, rest) = state.get(16..)?.split_first_chunk::<32>()?;
    let (counter, nonce) = rest.split_first_chunk::<4>()?;
    let mut block = Zeroizing::new([0; STATE]);
    let mut cipher = ChaCha20::new(key.into(), nonce.first_chunk::<12>()?.into());
    cipher.try_seek(u64::from(u32::from_le_bytes(*counter)) * STATE as u64).ok()?;
    cipher.try_apply_keystream(&mut *block).ok()?;
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_of_rfc_8439_comes_out() {
        // Section 2.3.2.
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
        let state = [&b"expand 32-byte k"[..], &key, &[1, 0, 0, 0], &nonce].concat();
        let made = block(state.first_chunk().unwrap()).unwrap();
        let first = [0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4];
        assert!(made.starts_with(&first) && made.ends_with(&[0xa2, 0x50, 0x3c, 0x4e]));
    }
}
