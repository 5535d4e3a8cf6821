//! Macaroons of format 2: `02`, then fields of a type, a length and as many bytes, each list of them ended by `00`; at the end the
//! signature of 32 bytes. Source: libmacaroons, `doc/format.txt`.

use base64ct::{Base64Unpadded, Encoding as _};
use zeroize::Zeroizing;

const VERSION: u8 = 2;
const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;
const PROOF_OF_THIRD_PARTY: u8 = 4;
const SIGNATURE: u8 = 6;
const SIGNATURE_LEN: usize = 32;

/// A macaroon of format 2 in base64, of either alphabet, padded or not.
pub(super) fn is_macaroon(value: &[u8]) -> bool {
    let text = Zeroizing::new(std::str::from_utf8(value).unwrap_or_default().replace('-', "+").replace('_', "/"));
    let bytes = Zeroizing::new(Base64Unpadded::decode_vec(text.trim_end_matches('=')).unwrap_or_default());
    parse(&bytes).is_some()
}

fn parse(bytes: &[u8]) -> Option<()> {
    let (&version, mut rest) = bytes.split_first()?;
    let mut lists = 0;
    // The head is a list, each caveat is one, and an empty one ends them.
    loop {
        let (fields, behind) = list(rest)?;
        rest = behind;
        match fields {
            0 if lists > 0 => break,
            0 => return None,
            _ => lists += 1,
        }
    }
    let (kind, signature, behind) = field(rest)?;
    let whole = kind == SIGNATURE && signature.len() == SIGNATURE_LEN && behind.is_empty();
    (version == VERSION && whole).then_some(())
}

/// How many fields a list holds, an identifier among them where it holds any, and what stands behind its end.
fn list(mut rest: &[u8]) -> Option<(usize, &[u8])> {
    let (mut fields, mut last) = (0, 0);
    let mut named = false;
    while let [next, ..] = *rest {
        if next == 0 {
            return (fields == 0 || named).then_some((fields, rest.get(1..)?));
        }
        let (kind, _, behind) = field(rest)?;
        if kind <= last || !matches!(kind, LOCATION | IDENTIFIER | PROOF_OF_THIRD_PARTY) {
            return None;
        }
        (fields, last, named, rest) = (fields + 1, kind, named || kind == IDENTIFIER, behind);
    }
    None
}

/// The type of the field at the beginning, its bytes, and what stands behind it. Its length takes seven bits of each byte.
fn field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let (len, rest) = match *rest {
        [low, ..] if low < 0x80 => (usize::from(low), rest.get(1..)?),
        [low, high, ..] if high < 0x80 => (usize::from(low & 0x7f) | usize::from(high) << 7, rest.get(2..)?),
        _ => return None,
    };
    let (data, behind) = rest.split_at_checked(len)?;
    Some((kind, data, behind))
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    fn packet(kind: u8, data: &[u8]) -> Vec<u8> {
        let len = data.len();
        let head =
            if len < 0x80 { vec![kind, len as u8] } else { vec![kind, (len & 0x7f) as u8 | 0x80, (len >> 7) as u8] };
        [head, data.to_vec()].concat()
    }

    fn told(bytes: &[u8]) -> bool {
        is_macaroon(Base64UrlUnpadded::encode_string(bytes).as_bytes())
    }

    #[test]
    fn fields_stand_in_lists_and_the_signature_behind_them() {
        let (location, identifier) = (packet(1, b"shop.internal"), packet(2, b"key-7"));
        let (long, third) = (packet(2, &[b'c'; 300]), packet(4, &[9; 72]));
        let signature = packet(6, &[0xa5; 32]);
        let whole = |head: &[u8], caveats: &[u8]| [&[2][..], head, &[0], caveats, &[0], &signature].concat();
        let head = [&location[..], &identifier].concat();
        let caveats = [&long[..], &[0], &location, &identifier, &third, &[0]].concat();
        for good in [whole(&head, &[]), whole(&identifier, &[]), whole(&head, &caveats)] {
            assert!(told(&good));
        }
        let cut = |bytes: Vec<u8>, by: usize| bytes[..bytes.len() - by].to_vec();
        for bad in [
            whole(&location, &[]),
            whole(&[], &[]),
            cut(whole(&head, &caveats), 1),
            [whole(&head, &[]), vec![0]].concat(),
            [&[1][..], &whole(&head, &[])[1..]].concat(),
            [&[2][..], &head, &[0, 0], &packet(6, &[1; 31])].concat(),
            [&[2][..], &identifier, &location, &[0, 0], &signature].concat(),
            vec![2, 2, 0xff, 0xff, 0xff],
            vec![2],
            vec![],
        ] {
            assert!(!told(&bad), "{bad:?}");
        }
    }
}
