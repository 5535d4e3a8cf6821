//! Values of manuals and of programs, which stand where secrets would: a sentence about the password, the keys in the examples of a vendor,
//! and the name of what holds the secret. A process that keeps the sources of its programs is full of them.

/// What the documentation of a large cloud writes into each of its keys and tokens.
const EXAMPLE: &[u8] = b"EXAMPLE";
/// Words that sentences are made with, and lists of words drawn by lot are not.
const FUNCTION_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "if", "in", "is", "it", "of", "on", "or", "that",
    "the", "this", "to", "when", "with", "you", "your",
];
/// Words of a sentence, and how many of them are such.
const WORDS: (usize, usize) = (5, 2);
/// What a name ends with that holds a secret, in small letters.
const HOLDERS: &[&str] =
    &["auth", "credential", "credentials", "key", "pass", "passphrase", "password", "passwd", "secret", "token"];

/// Whether a value is such a one.
pub fn is_sample(value: &[u8]) -> bool {
    memchr::memmem::find(value, EXAMPLE).is_some() || is_sentence(value) || is_member(value)
}

/// `The password for the account.`
fn is_sentence(value: &[u8]) -> bool {
    let letters = |byte: &u8| byte.is_ascii_alphabetic() || b" ,.;:'()/!?-_".contains(byte);
    if !value.iter().all(letters) {
        return false;
    }
    let words = value.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let is_function = |word: &[u8]| FUNCTION_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    let (all, function) = words.fold((0, 0), |(all, some), word| (all + 1, some + usize::from(is_function(word))));
    all >= WORDS.0 && function >= WORDS.1
}

/// `this.token`, `options.dbPassword`: a member of an object, by names without a digit, or with few where there are many words.
fn is_member(value: &[u8]) -> bool {
    let parts = || value.split(|byte| *byte == b'.');
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let words = value.iter().filter(|byte| **byte == b'_').count();
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$".contains(byte);
    let is_name =
        |part: &[u8]| part.len() > 1 && part.iter().all(is_letter) && (digits == 0 || digits < 3 && words > 2);
    let holds = |last: &[u8]| {
        let last = last.to_ascii_lowercase();
        HOLDERS.iter().any(|word| last.ends_with(word.as_bytes()))
    };
    let of_itself = || matches!(parts().next(), Some(b"this" | b"self"));
    parts().count() > 1 && parts().all(is_name) && (of_itself() || parts().next_back().is_some_and(holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_what_manuals_and_programs_write() {
        for value in [
            "The password for the kmsuser account in the specified cluster.",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY",
            "EXAMPLE-PASSWORD",
            "Passphrase if the private_key is encrypted (Optional)",
            "this._buildHeaders",
            "parsedURL.password",
            "req.body.api_key",
            "args.secret_manager_stored_oauth2_client_secret",
        ] {
            assert!(is_sample(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn passwords_are_none() {
        for value in [
            "correct horse battery staple",
            "the winter of 1998 was cold in the north",
            "Example-1997",
            "kQz.VbnWx",
            "hunter2.secret",
            "to be or not",
            "pass.word7",
            "a.b",
            "",
        ] {
            assert!(!is_sample(value.as_bytes()), "{value}");
        }
    }
}
