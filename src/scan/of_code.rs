//! Values that belong to a program and not to what it was configured with, as objects of its runtime have them beside the names of secrets:
//! types, which annotations keep as text, and words about secrets, as names of settings and messages to users are.

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
    "list",
    "literal",
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

/// Whether a value is such a text: for that it needs a bracket or a word that is known, and no digit.
pub fn is_of_code(value: &[u8]) -> bool {
    let is_made_of = |others: &[u8]| value.iter().all(|byte| byte.is_ascii_alphabetic() || others.contains(byte));
    is_subscript(value)
        || is_made_of(b"_., |'\"") && is_type(value)
        || is_made_of(b"_-.,:;|!?'() ") && words(value) > 1 && is_about_secrets(value)
        || is_class(value)
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

/// A name such as `SecretStr`: few words, each with a great letter and several small ones.
fn is_class(value: &[u8]) -> bool {
    let mut word = 0;
    let is_short = |word: usize| (1..3).contains(&word);
    let mut is_name = value.first().is_some_and(u8::is_ascii_uppercase);
    for byte in value {
        is_name &= byte.is_ascii_alphabetic() && !(byte.is_ascii_uppercase() && is_short(word));
        word = if byte.is_ascii_uppercase() { 1 } else { word + 1 };
    }
    is_name && !is_short(word) && (2..=4).contains(&words(value))
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
            "bytes | str",
            "SecretStr | None",
            "Optional[str]",
            "Final[Literal[3]]",
            "typing.Any",
            "SecretStr",
            "AWS_SECRET_ACCESS_KEY",
            "AWSSecretKey",
            "AWSAccessKeyId",
            "aws_access_key_id",
            "required|confirmed",
            "The provided password is not right.",
            "Enter your password:",
        ] {
            assert!(is_of_code(value.as_bytes()), "{value}");
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
            "",
        ] {
            assert!(!is_of_code(value.as_bytes()), "{value}");
        }
    }
}
