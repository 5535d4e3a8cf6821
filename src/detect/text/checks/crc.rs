//! CRC-32 (the one of ISO-HDLC, zip and PNG) at the end of a token, in the spellings that issuers chose.

use base64ct::{Base64, Encoding as _};

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// `prefix_<body><6 of base 62>`, over the body. Source: "Behind GitHub's new authentication token formats", GitHub's
/// engineering blog, April 2021.
pub(super) fn base62_behind_prefix(value: &[u8]) -> bool {
    let Some((token, sum)) = value.split_last_chunk::<6>() else { return false };
    let body = token.iter().position(|&b| b == b'_').and_then(|at| token.get(at + 1..));
    body.is_some_and(|body| spells(crc32fast::hash(body), BASE62, sum))
}

/// A value that ends as [`base62_behind_prefix`] asks for, with the body of this one.
pub(super) fn with_base62(value: &str) -> Option<String> {
    let (token, _) = value.split_at_checked(value.len().checked_sub(6)?)?;
    let mut number = crc32fast::hash(token.split_once('_')?.1.as_bytes());
    let mut sum = [b'0'; 6];
    for digit in sum.iter_mut().rev() {
        *digit = *BASE62.get((number % 62) as usize)?;
        number /= 62;
    }
    Some(format!("{token}{}", String::from_utf8_lossy(&sum)))
}

/// `<all><7 of base 36>`, over all. Source: GitLab's design document "Routable tokens".
pub(super) fn base36(value: &[u8]) -> bool {
    let Some((all, sum)) = value.split_last_chunk::<7>() else { return false };
    spells(crc32fast::hash(all), BASE36, sum)
}

/// `cflt<body><6 of base64>`, over the body. Source: Confluent's documentation, "API key format".
pub(super) fn base64_behind_prefix(value: &[u8]) -> bool {
    let Some((token, sum)) = value.split_last_chunk::<6>() else { return false };
    let Some(body) = token.strip_prefix(b"cflt") else { return false };
    Base64::encode_string(&crc32fast::hash(body).to_le_bytes()).as_bytes().starts_with(sum)
}

/// `zpka_<32>_<8 of base 16>`, over the 32 letters. Whether prefix and underline are part of it is not said in public; both
/// readings are taken, which still leaves chance one in 2^31.
pub(super) fn hex_big(value: &[u8]) -> bool {
    let Some((all, sum)) = before_underline(value) else { return false };
    let body = all.iter().rposition(|&b| b == b'_').and_then(|at| all.get(at + 1..)).unwrap_or_default();
    let spelled = |bytes: &[u8]| format!("{:08x}", crc32fast::hash(bytes)).as_bytes() == sum;
    spelled(body) || spelled(all)
}

/// `<all>_<8 of base 16, lowest byte first>`, over all. Source: Grafana's `pkg/components/satokengen`.
pub(super) fn hex_little(value: &[u8]) -> bool {
    let Some((all, sum)) = before_underline(value) else { return false };
    format!("{:08x}", crc32fast::hash(all).swap_bytes()).as_bytes() == sum
}

/// `<all>_<6 of base 62, lowest digit first, zeros before it>`, over all. Source: `tokens.rs` of the Matrix Authentication Service.
pub(super) fn base62_backwards(value: &[u8]) -> bool {
    let Some((rest, sum)) = value.split_last_chunk::<6>() else { return false };
    let Some(all) = rest.strip_suffix(b"_") else { return false };
    let (mut number, mut digits) = (crc32fast::hash(all), Vec::new());
    while number > 0 {
        digits.extend(BASE62.get((number % 62) as usize));
        number /= 62;
    }
    let zeros = sum.len().saturating_sub(digits.len());
    sum.iter().take(zeros).all(|&b| b == b'0') && sum.get(zeros..) == Some(&digits)
}

fn before_underline(value: &[u8]) -> Option<(&[u8], &[u8; 8])> {
    let (rest, sum) = value.split_last_chunk::<8>()?;
    Some((rest.strip_suffix(b"_")?, sum))
}

/// Whether `text` is `number` in the base of `digits`, filled up with zeros.
fn spells(mut number: u32, digits: &[u8], text: &[u8]) -> bool {
    let base = u32::try_from(digits.len()).unwrap_or(u32::MAX);
    let fits = text.iter().rev().all(|letter| {
        let digit = digits.get((number % base) as usize);
        number /= base;
        digit == Some(letter)
    });
    fits && number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32 bit by bit, from its polynomial: shares nothing with the crate.
    fn slow_crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
        })
    }

    fn based(mut number: u32, digits: &[u8], len: usize) -> String {
        let mut text = vec![b'0'; len];
        for letter in text.iter_mut().rev() {
            *letter = digits[number as usize % digits.len()];
            number /= digits.len() as u32;
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_reference_is_crc_32() {
        // The check value of CRC-32/ISO-HDLC in every catalogue of CRCs.
        assert_eq!(slow_crc(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn each_spelling_holds_for_its_sum_and_for_no_other() {
        // The second body's sum is small, so that the filling zeros count.
        let small = (0_u32..).map(|i| format!("{i:032}")).find(|body| slow_crc(body.as_bytes()) < 1 << 24).unwrap();
        for body in ["Zq81kdPw02mXb7LtQ9vRjC4nHs6eYa", small.as_str()] {
            let github = format!("ghp_{body}{}", based(slow_crc(body.as_bytes()), BASE62, 6));
            assert!(base62_behind_prefix(github.as_bytes()), "{github}");
            assert_eq!(with_base62(&github.replace(&github[github.len() - 6..], "AAAAAA")), Some(github.clone()));
            let all = format!("glpat-{body}.01.1a");
            let gitlab = format!("{all}{}", based(slow_crc(all.as_bytes()), BASE36, 7));
            assert!(base36(gitlab.as_bytes()), "{gitlab}");
            let key = format!("glsa_{body}");
            let bytes: String = slow_crc(key.as_bytes()).to_le_bytes().iter().map(|b| format!("{b:02x}")).collect();
            assert!(hex_little(format!("{key}_{bytes}").as_bytes()));
            assert!(hex_big(format!("zpka_{body}_{:08x}", slow_crc(body.as_bytes())).as_bytes()));
            for good in [github, gitlab] {
                for at in 4..good.len() {
                    let mut bad = good.clone().into_bytes();
                    bad[at] = if bad[at] == b'7' { b'8' } else { b'7' };
                    assert!(!base62_behind_prefix(&bad) && !base36(&bad), "{good} {at}");
                }
            }
        }
    }

    #[test]
    fn the_lowest_digit_may_come_first() {
        for (body, sum) in
            [("mat_Mg1KoW7D0MIHWyQooYP3q0Xk4z1nKW", "0AB0OE"), ("mct_waGj5kg1c31TxDfib9Rq6SIgapkURO", "oBJgw1")]
        {
            let digits: String = based(slow_crc(body.as_bytes()), BASE62, 6).chars().rev().collect();
            let digits = digits.trim_end_matches('0');
            assert_eq!(format!("{digits:0>6}"), sum);
            assert!(base62_backwards(format!("{body}_{sum}").as_bytes()));
            assert!(!base62_backwards(format!("{body}x_{sum}").as_bytes()) && !base62_backwards(sum.as_bytes()));
        }
    }

    #[test]
    fn the_example_of_confluents_documentation_holds() {
        let example = ["cflt", "T8d8RzkNseTMEDKcjNM1BZTFPHqRn/dQm9q7w6SjzZ12wZfwjaJdip", "HZtDjw"].concat();
        assert!(base64_behind_prefix(example.as_bytes()));
        assert!(!base64_behind_prefix(example.replace("T8d", "T8e").as_bytes()));
    }

    #[test]
    fn what_is_too_short_has_no_sum() {
        for short in [&b""[..], b"_", b"ghp_", b"_123456", b"1234567"] {
            assert!(!base62_behind_prefix(short) || short.len() > 6, "{short:?}");
            assert!(!hex_big(short) && !hex_little(short) && !base64_behind_prefix(short));
        }
    }
}
