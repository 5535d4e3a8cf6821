//! Values that are known to all: words that stand where secrets would, examples of manuals, keys that a specification or an emulator has for
//! everybody, and what a manual says of a secret in its place. Sentences and members of objects are in `samples`.
//!
//! Libraries keep their manuals in memory: each Python process has the docstrings of all modules that it imported.

/// Words that stand where secrets would, whatever the rule, compared without case.
const WORDS: &[&str] = &[
    "access_token",
    "accesstoken",
    "api_key",
    "apikey",
    "change_me",
    "changeit",
    "changeme",
    "client_id",
    "client_secret",
    "clientsecret",
    "default",
    "disabled",
    "enabled",
    "example",
    "false",
    "guest",
    "none",
    "null",
    "optional",
    "passphrase",
    "passwd",
    "password",
    "placeholder",
    "private_key",
    "redacted",
    "refresh_token",
    "refreshtoken",
    "required",
    "secret",
    "secret_key",
    "secretkey",
    "string",
    "token",
    "true",
    "undefined",
    "unknown",
    "user-password",
    "username",
];
/// Examples in manuals of libraries, and keys of everybody.
const EXAMPLES: &[&str] = &[
    // RFC 6455, section 1.3: what all servers of WebSocket hash with the client's nonce.
    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
    // The account of Azure's emulator of storage: learn.microsoft.com/azure/storage/common/storage-connect-azurite
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    // pydantic, `SecretStr`.
    "IAmSensitive",
    "IAmSensitiveBytes",
    // MSAL.
    "Needed if the private_key is encrypted (Added in version 1.6.0)",
    // FastAPI, `HTTPBearer`.
    "deadbeef12346",
    // Slack's SDK, on headers.
    "xoxb-1234-1243",
    // SQLAlchemy, on Oracle's wallets, and Oracle's own first user.
    "top secret",
    "tiger",
    // httpx, `URL`.
    "a%20secret",
    // PyOTP, in the description of the package.
    "JBSWY3DPEHPK3PXPJBSWY3DP",
    // Google's library for authentication.
    "HEADER.PAYLOAD.SIGNATURE",
    // w3lib, `basic_auth_header`.
    "somepass",
    // RFC 5849, RFC 6749, RFC 6750, RFC 7009, RFC 8628 and the draft on MAC tokens, as oauthlib and others quote them.
    "2YotnFZFEjr1zCsicMWpAA",
    "tGzv3JOkF0XG5Qx2TlKWIA",
    "mF_9.B5f-4.1JqM",
    "SlAV32hkKG",
    "45ghiukldjahdnhzdauz",
    "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
    "h480djs93hd8",
    "ad180jjd733klru7",
    "wOJIO9A2W5mFwDgiDvZbTSMK%2FPY%3D",
    // oauthlib and requests-oauthlib.
    "KB46DCKJ873NCGXK5GD682NHDKK34GR",
    "23sdf876234",
    "2kjshdfp92i34asdasd",
    "askfjh234as9sd8",
    "kjerht2309u",
    "kjerht2309uf",
    "kjfch2345sdf",
    "lsdajfh923874",
    "lsdkfol23w54jlksdef",
    "qwe089234lkjsdf",
    "sdf0o9823sjdfsdf",
    "sdf23409df",
    "sdlfkj452",
    "sh35ksdf09sf",
];
/// Whether the value is none of anybody's. One that goes on with dots was cut by who wrote it down: `sk_test_...`.
pub fn is_of_a_manual(value: &[u8]) -> bool {
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
        || EXAMPLES.iter().any(|example| value == example.as_bytes())
        || value.ends_with(b"...")
        || is_about_itself(value)
}

/// `owner password`: words of which one says what stands here.
fn is_about_itself(value: &[u8]) -> bool {
    let is_word =
        |word: &[u8]| !word.is_empty() && word.iter().all(|letter| letter.is_ascii_lowercase() || *letter == b'\'');
    let words = || value.split(|letter| *letter == b' ');
    words().count() > 1 && words().all(is_word) && words().any(|word| [&b"password"[..], b"passphrase"].contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_examples_are_of_manuals() {
        for value in [
            "Password",
            "owner password",
            "sk_test_...",
            "silently test a file's password",
            "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
        ] {
            assert!(is_of_a_manual(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn passwords_are_not() {
        for value in [
            "correct horse battery staple",
            "tr0ub4dor and 3",
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "to be 7Qv",
            "example7Qv",
            "my password7",
            "correct horse password-staple",
            "",
        ] {
            assert!(!is_of_a_manual(value.as_bytes()), "{value}");
        }
    }
}
