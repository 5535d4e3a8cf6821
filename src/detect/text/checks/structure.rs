//! Structures that decode: tokens of JSON, credentials of HTTP, keys of a curve.

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::Checked;
use crate::finding::Encoding;

/// `header.payload.signature` (RFC 7519), each in base64url: the header is JSON and names an algorithm, the payload is JSON.
/// An encrypted token (RFC 7516) has five parts and names its encryption too.
pub(super) fn is_jwt(value: &[u8]) -> bool {
    let mut parts = value.split(|&b| b == b'.');
    let Some(header) = parts.next().and_then(object) else { return false };
    let named = |name: &str| header.get(name).is_some_and(Value::is_string);
    match (named("alg"), named("enc"), parts.clone().count()) {
        (true, true, 4) => true,
        (true, _, 1 | 2) => parts.next().is_some_and(|payload| object(payload).is_some()),
        _ => false,
    }
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    let text = std::str::from_utf8(part).ok()?.trim_end_matches('=');
    let bytes = Zeroizing::new(Base64UrlUnpadded::decode_vec(text).ok()?);
    serde_json::from_slice(&bytes).ok()
}

/// `user:password` in base64 (RFC 7617): printable, and the password not empty.
pub(super) fn basic_credentials(value: &[u8]) -> Option<Checked> {
    let text = base64(value)?;
    let (_, password) = std::str::from_utf8(&text).ok()?.split_once(':')?;
    let told = !password.is_empty() && is_printable(&text);
    told.then(|| inner(password.as_bytes()))
}

/// Whom to act for, the user and the password with zeros between, in base64 (RFC 4616): printable, and only the first may be empty.
pub(super) fn plain_credentials(value: &[u8]) -> Option<Checked> {
    let text = base64(value)?;
    let mut parts = text.split(|byte| *byte == 0);
    let (Some(act_for), Some(user), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let told = !user.is_empty() && !password.is_empty() && [act_for, user, password].into_iter().all(is_printable);
    told.then(|| inner(password))
}

/// Text in base64: printable, and not empty.
pub(super) fn base64_text(value: &[u8]) -> Option<Checked> {
    base64(value).filter(|text| !text.is_empty() && is_printable(text)).map(|text| inner(&text))
}

fn base64(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(value).ok()?.trim_end_matches('=');
    Some(Zeroizing::new(base64ct::Base64Unpadded::decode_vec(text).ok()?))
}

fn is_printable(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| !text.chars().any(char::is_control))
}

fn inner(secret: &[u8]) -> Checked {
    Checked { inner: Some((Zeroizing::new(secret.to_vec()), Encoding::Base64)), part: None }
}

/// 32 bytes in base64 whose lowest three bits are clear and whose highest are `01`, as RFC 7748 makes a private key of X25519.
/// One in 32 random values is like that.
pub(super) fn is_x25519(value: &[u8]) -> bool {
    let mut key = Zeroizing::new([0_u8; 33]);
    let decoded = Base64::decode(value, key.as_mut_slice()).unwrap_or_default();
    matches!(decoded, [first, .., last] if decoded.len() == 32 && first & 7 == 0 && last >> 6 == 1)
}

/// Eight groups of six digits, each eleven times a number of 16 bits: the recovery password of a volume of BitLocker. One in
/// eleven to the eighth, two hundred million, of such digits is like that. Eight times the same is made up.
pub(super) fn is_bitlocker(value: &[u8]) -> bool {
    const GROUPS: usize = 8;
    const ELEVEN: u32 = 11;
    let number = |group: &[u8]| {
        let text = std::str::from_utf8(group).ok().filter(|text| text.len() == 6 && !text.starts_with('+'))?;
        text.parse::<u32>().ok().filter(|n| n % ELEVEN == 0 && n / ELEVEN <= u32::from(u16::MAX))
    };
    let groups: Option<Vec<u32>> = value.split(|&b| b == b'-').map(number).collect();
    groups.is_some_and(|all| all.len() == GROUPS && all.iter().any(|n| Some(n) != all.first()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(json: &str) -> String {
        Base64UrlUnpadded::encode_string(json.as_bytes())
    }

    #[test]
    fn a_token_is_json_that_names_its_algorithm() {
        let (header, payload) = (part(r#"{"alg":"HS256","typ":"JWT"}"#), part(r#"{"sub":"a"}"#));
        for good in [format!("{header}.{payload}.c2ln"), format!("{header}.{payload}.")] {
            assert!(is_jwt(good.as_bytes()), "{good}");
        }
        assert!(is_jwt(format!("{}.a.b.c.d", part(r#"{"alg":"dir","enc":"A256GCM"}"#)).as_bytes()));
        let wrong = part(r#"{"typ":"JWT"}"#);
        for bad in [format!("{wrong}.{payload}.c2ln"), format!("{header}.{}.x", part("[1]")), header, String::new()] {
            assert!(!is_jwt(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn deep_json_is_refused_and_not_followed() {
        let deep = part(&"[".repeat(100_000));
        assert!(!is_jwt(format!("{deep}.{deep}.x").as_bytes()));
    }

    #[test]
    fn credentials_hold_the_password() {
        // The example of RFC 7617: user `Aladdin`, password `open sesame`.
        let checked = basic_credentials(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!(checked.inner.unwrap().0.as_slice(), b"open sesame");
        for bad in [&b"realm"[..], b"QWxhZGRpbg==", b"QWxhZGRpbjo=", b"%%%%"] {
            assert!(basic_credentials(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_login_of_sasl_holds_the_password() {
        let encode = |text: &[u8]| Base64::encode_string(text);
        for login in [&b"\0tim\0tanstaaftanstaaf"[..], b"Ursel\0Kurt\0tanstaaftanstaaf"] {
            let checked = plain_credentials(encode(login).as_bytes()).unwrap();
            assert_eq!(checked.inner.unwrap().0.as_slice(), b"tanstaaftanstaaf");
        }
        for bad in [&b"\0\0xipj3plmq"[..], b"\0tim\0", b"tim\0xipj3plmq", b"\0tim\0xipj\0plmq", b"\0tim\0xipj\nplmq"] {
            assert!(plain_credentials(encode(bad).as_bytes()).is_none(), "{bad:?}");
        }
        assert_eq!(base64_text(encode(b"xipj3plmq").as_bytes()).unwrap().inner.unwrap().0.as_slice(), b"xipj3plmq");
        assert!(base64_text(b"").is_none() && base64_text(b"AAAA").is_none());
    }

    #[test]
    fn a_key_of_x25519_has_its_bits_set() {
        let key = |first: u8, last: u8| {
            let mut bytes = [0x55; 32];
            (bytes[0], bytes[31]) = (first, last);
            Base64::encode_string(&bytes)
        };
        assert!(is_x25519(key(0xf8, 0x7f).as_bytes()));
        for (first, last) in [(0xf9, 0x7f), (0xf8, 0xff), (0xf8, 0x3f)] {
            assert!(!is_x25519(key(first, last).as_bytes()));
        }
        assert!(!is_x25519(b"AAAA") && !is_x25519(Base64::encode_string(&[0x58; 33]).as_bytes()));
    }

    #[test]
    fn groups_of_a_recovery_password_are_multiples_of_eleven() {
        let joined = |numbers: [u32; 8]| numbers.map(|n| format!("{n:06}")).join("-");
        let good = [0, 11, 720_885, 123_453, 99, 110_000, 55, 300_300];
        assert!(is_bitlocker(joined(good).as_bytes()));
        for (at, wrong) in [(1, 12), (2, 720_896), (7, 300_301)] {
            let mut bad = good;
            bad[at] = wrong;
            assert!(!is_bitlocker(joined(bad).as_bytes()), "{bad:?}");
        }
        assert!(!is_bitlocker(joined([11; 8]).as_bytes()), "made up");
        for bad in
            ["000011-000022", "", "11-11-11-11-11-11-11-12", "+00011-000022-000033-000044-000055-000066-000077-000088"]
        {
            assert!(!is_bitlocker(bad.as_bytes()), "{bad}");
        }
    }
}
