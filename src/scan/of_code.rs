//! Values that belong to a program and not to what it was configured with, as objects of its runtime have them beside the names of secrets:
//! types, which annotations keep as text, and words about secrets, as names of settings and messages to users are.

use std::ops::RangeInclusive;

/// What types are called, in small letters.
const TYPES: &[&str] = &[
    "any",
    "anystr",
    "array",
    "bool",
    "boolean",
    "bytearray",
    "bytes",
    "callable",
    "char",
    "dict",
    "enum",
    "final",
    "float",
    "int",
    "integer",
    "iterable",
    "iterator",
    "list",
    "literal",
    "mapping",
    "mixed",
    "none",
    "null",
    "number",
    "object",
    "optional",
    "self",
    "sequence",
    "str",
    "string",
    "text",
    "tuple",
    "type",
    "typing",
    "union",
    "varchar",
    "void",
];
/// What stands in words about secrets, in small letters.
const ABOUT: &[&str] = &[
    "auth",
    "confirm",
    "credential",
    "field",
    "key",
    "nullable",
    "pass",
    "pwd",
    "required",
    "secret",
    "string",
    "token",
];

/// What stands before `KEY` in the name of a secret. Any other key is one that a program finds things by in its tables.
const OF_SECRETS: &[&[u8]] = &[
    b"ACCESS",
    b"ACCOUNT",
    b"AES",
    b"API",
    b"AUTH",
    b"CRYPT",
    b"CRYPTO",
    b"CRYPTION",
    b"FERNET",
    b"HMAC",
    b"JWT",
    b"LICENSE",
    b"MASTER",
    b"PRIVATE",
    b"SECRET",
    b"SERVICE",
    b"SHARED",
    b"SIGNING",
    b"STORAGE",
    b"TOKEN",
];

/// Whether a value of this name is such a text: for that it needs a bracket, or a word or a name that is known, and no digit. Perl says
/// `define` of what the machine has that it was built on, `d_grpasswd`.
pub fn is_of_code(name: &[u8], value: &[u8]) -> bool {
    let is_made_of = |others: &[u8]| value.iter().all(|byte| byte.is_ascii_alphabetic() || others.contains(byte));
    is_subscript(value)
        || is_made_of(b"_., |'\"") && is_type(value)
        || is_made_of(b"_-.,:;|!?'()/ ") && words(value) > 1 && is_about_secrets(value)
        || is_class(value)
        || is_method(value)
        || is_path(value) && is_key_of_a_table(name)
        || value == b"define" && name.starts_with(b"d_")
        || is_itself(name, value)
        || is_relative(value)
}

/// `current-span`, `avro.schema`, `DEBUG_FRAME`, `org.acme/logLevel`, `s3UploadLease`: names, and signs between them.
fn is_path(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| b"_-.:/$ ".contains(byte)).map(|part| match part {
        [b'a'..=b'z', b'0'..=b'9', rest @ ..] if rest.first().is_none_or(u8::is_ascii_uppercase) => rest,
        part => part.strip_suffix(b"Id").unwrap_or(part),
    });
    let is = |part: &[u8], case: fn(&u8) -> bool| part.iter().all(case);
    let is_of_one_case = |part: &[u8]| is(part, u8::is_ascii_lowercase) || is(part, u8::is_ascii_uppercase);
    parts.all(|part| is_of_one_case(part) || is_property(part) || is_of_words(part, 1..=5))
}

/// `.models.v1_secret`: a module, by its place beside another.
fn is_relative(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'.');
    let is_name =
        |part: &[u8]| part.first().is_some_and(u8::is_ascii_lowercase) && !part.iter().any(u8::is_ascii_uppercase);
    let is_module =
        |part: &[u8]| is_name(part) && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    parts.next() == Some(b"") && value.contains(&b'_') && parts.all(is_module)
}

/// `SPAN_KEY`, and not `STRIPE_SECRET_KEY`.
fn is_key_of_a_table(name: &[u8]) -> bool {
    let before = name.strip_suffix(b"_KEY");
    before.is_some_and(|before| !OF_SECRETS.iter().any(|word| before.ends_with(word)))
}

/// `package.utils:ROOT_KEY`, which says where the thing of this name, `ROOT_KEY` or `old.utils:ROOT_KEY`, is to be found.
fn is_itself(name: &[u8], value: &[u8]) -> bool {
    let last = name.rsplit(|byte| matches!(byte, b':' | b'.')).next().filter(|last| !last.is_empty());
    let before = last.and_then(|last| value.strip_suffix(last));
    before.is_some_and(|before| before.ends_with(b":") || before.ends_with(b"."))
}

/// A type with others in brackets: `Optional[str]`.
fn is_subscript(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.,[] |'\"".contains(byte);
    let opens = value.iter().position(|byte| *byte == b'[').unwrap_or(0);
    opens > 1 && value.ends_with(b"]") && value.iter().all(is_part)
}

/// Types alone, or one of several of which one is known.
fn is_type(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let parts = lower.split(|byte| b"., |'\"".contains(byte)).filter(|part| !part.is_empty());
    let is_known = |part: &[u8]| TYPES.iter().any(|known| known.as_bytes() == part);
    let (all, known) = parts.fold((0, 0), |(all, known), part| (all + 1, known + u32::from(is_known(part))));
    known > 0 && (known == all || value.contains(&b'|'))
}

fn is_about_secrets(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    ABOUT.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

/// Words, which a sign stands between or a great letter begins.
fn words(value: &[u8]) -> usize {
    let begins = |pair: &[u8]| match pair {
        [before, letter] => {
            letter.is_ascii_alphabetic() && !before.is_ascii_alphabetic()
                || letter.is_ascii_uppercase() && before.is_ascii_lowercase()
        }
        _ => false,
    };
    1 + value.windows(2).filter(|pair| begins(pair)).count()
}

/// A name such as `SecretStr`, or `V1SecretVolumeSource`.
fn is_class(value: &[u8]) -> bool {
    let behind_version = match value {
        [b'V', b'0'..=b'9', rest @ ..] => rest.strip_prefix(b"alpha").or(rest.strip_prefix(b"beta")).unwrap_or(rest),
        _ => value,
    };
    let digits = behind_version.iter().take_while(|byte| byte.is_ascii_digit()).count();
    is_of_words(value, 2..=4)
        || is_of_words(behind_version.get(digits..).unwrap_or_default(), 2..=5) && value.len() > behind_version.len()
}

/// So many words, each with a great letter and several small ones.
fn is_of_words(value: &[u8], count: RangeInclusive<usize>) -> bool {
    let mut word = 0;
    let is_short = |word: usize| (1..3).contains(&word);
    let mut is_name = value.first().is_some_and(u8::is_ascii_uppercase);
    for byte in value {
        is_name &= byte.is_ascii_alphabetic() && !(byte.is_ascii_uppercase() && is_short(word));
        word = if byte.is_ascii_uppercase() { 1 } else { word + 1 };
    }
    is_name && !is_short(word) && count.contains(&words(value))
}

/// What methods do, as their names say first.
const VERBS: &[&[u8]] = &[
    b"build",
    b"create",
    b"decode",
    b"encode",
    b"from",
    b"generate",
    b"get",
    b"handle",
    b"has",
    b"init",
    b"is",
    b"load",
    b"make",
    b"on",
    b"parse",
    b"read",
    b"resolve",
    b"set",
    b"to",
    b"update",
    b"validate",
    b"verify",
    b"with",
    b"write",
];

/// A name such as `createHash`: a verb, and words with a great letter each.
fn is_method(value: &[u8]) -> bool {
    after_the_first_word(value).is_some_and(|(verb, rest)| VERBS.contains(&verb) && is_of_words(rest, 1..=3))
}

/// A name such as `allowWindowsEscape`.
fn is_property(value: &[u8]) -> bool {
    after_the_first_word(value).is_some_and(|(first, rest)| first.len() > 1 && is_of_words(rest, 1..=5))
}

/// The first word, in small letters, and what is behind it.
fn after_the_first_word(value: &[u8]) -> Option<(&[u8], &[u8])> {
    value.split_at_checked(value.iter().take_while(|byte| byte.is_ascii_lowercase()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_words_about_secrets_are_of_code() {
        for value in [
            "bool",
            "str",
            "Final",
            "Iterable",
            "bytes | str",
            "SecretStr | None",
            "Optional[str]",
            "Final[Literal[3]]",
            "typing.Any",
            "SecretStr",
            "V1SecretVolumeSource",
            "V1ServiceAccountTokenProjection",
            "V2beta1SecretProjection",
            "createHash",
            "getOwnPropertyNames",
            "AWS_SECRET_ACCESS_KEY",
            "AWSSecretKey",
            "AWSAccessKeyId",
            "aws_access_key_id",
            "required|confirmed",
            "The provided password is not right.",
            "Enter your password:",
            "auth-request-type/at",
            "settings:password",
        ] {
            assert!(is_of_code(b"password", value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn keys_of_tables_are_by_their_name() {
        let is = |name: &str, value: &str| is_of_code(name.as_bytes(), value.as_bytes());
        assert!(is("SPAN_KEY", "current-span") && is("DJANGO_VERSION_PICKLE_KEY", "_django_version"));
        assert!(is("ROOT_KEY", "package.v1.utils:ROOT_KEY") && is("AWE_KEY", "allowWindowsEscape"));
        assert!(is("package.utils:ROOT_KEY", "package.v1.utils:ROOT_KEY") && !is(":", "a:"));
        assert!(
            is("LOG_LEVEL_META_KEY", "io.modelcontextprotocol/logLevel") && is("LEASE_RESPONSE_KEY", "s3UploadLease")
        );
        assert!(is("SUBSCRIPTION_ID_META_KEY", "io.modelcontextprotocol/subscriptionId"));
        assert!(is("TESTING_KEY", "$$ACME_INTERNAL_KEY") && is("GET_STREAM_KEY", "_GET_stream"));
        assert!(is("d_grpasswd", "define") && !is("password", "define"));
        assert!(is("DEBUG_HEADER_KEY", "DEBUG_FRAME") && is("V1Secret", ".models.v1_secret"));
        assert!(!is("secret", ".k7qv_2mXw9") && !is("secret", "models.v1_secret9"));
        for name in ["SECRET_KEY", "STRIPE_API_KEY", "DB_PASSWORD", "ENCRYPTION_KEY"] {
            assert!(!is(name, "current-span") && !is(name, "allowWindowsEscape"), "{name}");
        }
        for value in ["k7qv-2mxw9tz4rb8", "kQzVbnWxYrTp", "kQz/VbnWxYrTp", "abQ/kdW.pRt", "k7qvmxwt"] {
            assert!(!is("SPAN_KEY", value), "{value}");
        }
    }

    #[test]
    fn passwords_are_not() {
        for value in [
            "hunter",
            "tiger",
            "letmein",
            "tr0ub4dor and 3",
            "correct horse battery staple",
            "kQzVbnWxYrTp",
            "Passw0rd!",
            "mysecretpassword",
            "k7Qv-2mXw9Tz4Rb8",
            "a[b]",
            "[secret]",
            "Summer",
            "V7Summer",
            "V1kQzVbnWxYrTp",
            "isTheSummer7",
            "toto",
            "getIt",
            "",
        ] {
            assert!(!is_of_code(b"password", value.as_bytes()), "{value}");
        }
    }
}
