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
    // AngularJS, on headers of `$http`.
    "boop",
    // pykeepass, in the description of the package.
    "somePassw0rd",
    // MCP's SDK, on credentials of clients.
    "my-client-secret",
    // impacket, the name that a directory has for the attribute `supplementalCredentials`; scapy, for a field of PROFINET.
    "ATTk589949",
    "PSWD",
    // python-jose, `jws.sign` and `jwe.encrypt`.
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhIjoiYiJ9.jiMyrsmD8AoHWeQgmxZ5yq8z0lXS67_QGs52AzC8Ru8",
    "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..McILMB3dYsNJSuhcDzQshA.OfX9H_mcUpHDeRM4IA.CcnTWqaqxNsjT4eCaUABSg",
    // What SLIP-0010, Electrum and Cardano have for everybody as the key of HMAC or as salt.
    "Bitcoin seed",
    "Nist256p1 seed",
    "ed25519 seed",
    "Seed version",
    "address-hashing",
    // eth-account and web3.js, on mnemonics and files of keys.
    "cabin raise oven oven knock fantasy flock letter click empty skate volcano",
    "cb636716a9fd46adbb31832d964df2082536edd5399a3393327dc89b0193a2be",
    "8d179a911d6146ad2924e86bf493ed89b8ff3596ffec0816e761c542016ab13c",
    // ethers and web3.js, whose users share these where they have none of their own.
    "_gg7wSSi0KMBsdKnGVfHDueq6xMB9EkC",
    "9f7d929b018cdffb338517efa06f58359e86ff1ffd350bc889738523659e7972",
    "919b412a057b5e9c9b6dce193c5a60242d6efadb",
    "84842078b09946638c03157f83405213",
    "proapi_gwcAAagyQKJ4r2KrAATyyCshiyUEpWfr2x7aKDOWFc56ZY8mBFcT9KZuP5Ce2jIfr_kHzUm",
    "3240624a343867035925ff7561eb60dfdba2a668",
    // MariaDB's help, on `CREATE USER`.
    "54958E764CE10E50764C2EECBB71D01F08549980",
    // The hash that exporters of Prometheus compare with where there is no such user.
    "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi",
    // RFC 5849, RFC 6749, RFC 6750, RFC 7009, RFC 8628 and the draft on MAC tokens, as oauthlib and others quote them.
    "2YotnFZFEjr1zCsicMWpAA",
    "tGzv3JOkF0XG5Qx2TlKWIA",
    "mF_9.B5f-4.1JqM",
    "SlAV32hkKG",
    "45ghiukldjahdnhzdauz",
    "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
    "h480djs93hd8",
    "A3ddj3w",
    "kkk9d7dh3k39sjv7",
    "hh5s93j4hdidpola",
    "hdhd0244k9j7ao03",
    "nnch734d00sl2jdk",
    "pfkkdhi9sl3r4s00",
    "74KNZJeDHnMBp0EMJ9ZHt%2FXKycU%3D",
    "bYT5CMsGcbgUdFHObYMEfcx6bsw%3D",
    "gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D",
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
