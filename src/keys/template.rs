//! What programs make key structures from: the bytes of a structure without the keys in it.

use memchr::memmem;

/// Whether it is what a program makes structures from: ring has one for each kind of key, in which the header of the public key
/// stands where the private key belongs and the public one nowhere. The lengths in it speak of what a program adds.
#[must_use]
pub fn is_template(whole: &[u8]) -> bool {
    // What stands before a private key, and what stands behind it, in a template at once.
    const HEADS: [(&[u8], &[u8]); 3] = [
        (b"\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", b"\x81\x21\x00"),
        (b"\x02\x01\x01\x04\x20", b"\xa1\x44\x03\x42\x00"),
        (b"\x02\x01\x01\x04\x30", b"\xa1\x64\x03\x62\x00"),
    ];
    HEADS.iter().any(|(head, public)| {
        let behind = |at: usize| whole.get(at..).unwrap_or_default();
        let Some(secret) = memmem::find(whole, head).map(|at| at + head.len()) else { return false };
        let len = usize::from(head.last().copied().unwrap_or_default());
        behind(secret).starts_with(public) && !behind(secret + len).starts_with(public)
    })
}

#[cfg(test)]
mod tests {
    use crate::finding::Evidence;
    use crate::keys::asn1::private_key;
    use crate::keys::testing::noise;

    #[test]
    fn what_ring_makes_structures_from_is_no_key() {
        let p256 = b"\x30\x81\x87\x02\x01\0\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\
                     \x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
        let p384 = b"\x30\x81\xb6\x02\x01\0\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\0\x22\
                     \x04\x81\x9e\x30\x81\x9b\x02\x01\x01\x04\x30";
        let ed25519 = b"\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let heads: [(&[u8], &[u8], usize); 3] =
            [(p256, b"\xa1\x44\x03\x42\0", 32), (p384, b"\xa1\x64\x03\x62\0", 48), (ed25519, b"\x81\x21\0", 32)];
        for (head, public, len) in heads {
            let others = noise(300, 3);
            assert!(private_key(&[head, public, &others].concat()).is_none());
            let inner = head.len() - if len == 32 { 7 } else { 8 };
            assert!(private_key(&[&head[inner..], public, &others].concat()).is_none());
            let rest = &others[..2 * len + 1];
            let (secret, point) = (noise(len, 4), if len == 32 && head.len() < 20 { &rest[..32] } else { rest });
            let made = [head, &secret, public, point, &others].concat();
            assert_eq!(private_key(&made).unwrap().key.evidence, Evidence::Parsed);
        }
    }
}
