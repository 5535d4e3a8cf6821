//! Whether a value that fits a pattern is a secret: what a rule says about its letters, and the values that never are one.

use regex::bytes::Captures;

use super::alphabet::entropy;
use super::manuals::is_of_a_manual;
use super::rule::TextRule;
use super::samples;
use crate::fill::{self, LETTER};

impl TextRule {
    /// The value's letters: how many, which, and how much they carry.
    pub(super) fn letters_fit(&self, value: &[u8]) -> bool {
        let only = |alphabet: &super::alphabet::Alphabet| value.iter().all(|&b| alphabet.holds(b));
        self.length.contains(&value.len())
            && self.alphabet.as_ref().is_none_or(only)
            && self.must_hold.iter().all(|(class, times)| value.iter().filter(|b| class.holds(**b)).count() >= *times)
            && self.must_match.iter().all(|pattern| pattern.is_match(value))
            && self.text.entropy.is_none_or(|least| entropy(value) >= least)
    }

    /// Whether what stands around the value is what the rule asks for, and not documentation.
    pub(super) fn context_fits(&self, captures: &Captures<'_>) -> bool {
        let mut contexts = self.contexts.iter().filter_map(|&i| captures.get(i)).map(|m| m.as_bytes());
        let wanted = self.requires_context.as_ref().is_none_or(|p| contexts.clone().any(|c| p.is_match(c)));
        let whole = || captures.get(0).map(|m| m.as_bytes()).unwrap_or_default();
        let ignored = self.ignore_matches.iter().any(|pattern| pattern.is_match(whole()));
        wanted && !ignored && !contexts.any(|c| self.is_reserved(c))
    }

    /// Whether the value stands for a secret and is none.
    pub(super) fn is_placeholder(&self, value: &[u8]) -> bool {
        let is = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
        is_of_a_manual(value)
            || self.text.placeholders.iter().any(|word| is(word))
            || is_template(value)
            || is_name(value)
            || is_filler(value)
            || samples::is_sample(value)
            || fill::is_decoded_letters(value)
            || fill::is_mostly_label(value)
            || self.ignore_values.iter().any(|p| p.is_match(value))
    }

    fn is_reserved(&self, host: &[u8]) -> bool {
        let host = host.split(|&b| b == b':').next().unwrap_or_default();
        self.text.reserved_hosts.iter().map(String::as_bytes).any(|reserved| {
            let cut = host.len().checked_sub(reserved.len());
            cut.is_some_and(|cut| {
                let (sub, domain) = host.split_at(cut);
                domain.eq_ignore_ascii_case(reserved) && (sub.is_empty() || sub.ends_with(b"."))
            })
        })
    }
}

/// What a program fills in: `%s`, `%{User-Password}`, `${DB_PASSWORD}`, `<token>`, `{token}`, `[token]`, `your-token`; what it searches for by,
/// `(.*?)(`; and what the help of a program says that a user fills in, `[password=<secret>][,more]`, up to its end: `<secret>]`, `secret]`.
fn is_template(value: &[u8]) -> bool {
    let starts = |word: &[u8]| value.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    matches!(
        value,
        [b'%', b's' | b'd' | b'v', ..]
            | [b'$' | b'%', b'{' | b'(', ..]
            | [b'(', b'.' | b'[' | b'?', ..]
            | [b'<', .., b'>']
            | [b'<', .., b'>', b']']
            | [b'{', .., b'}']
            | [b'[', .., b']']
    ) || is_name_in_brackets(value)
        || is_variable(value)
        || [&b"your-"[..], b"your_", b"your ", b"my-secret", b"my_secret", b"insert-", b"insert_"]
            .iter()
            .any(|word| starts(word))
}

/// `password]`, as in `[user=user][,password=password]`: a word in small letters and the bracket that was opened before its name.
fn is_name_in_brackets(value: &[u8]) -> bool {
    matches!(value, [word @ .., b']'] if word.iter().all(|letter| letter.is_ascii_lowercase() || *letter == b'-'))
}

/// `$DB_PASSWORD`, as shells write variables of the environment: one digit behind the letters at most, since `$UMMER2024` is a password.
fn is_variable(value: &[u8]) -> bool {
    let letters = match value {
        [b'$', letters @ .., b'0'..=b'9'] | [b'$', letters @ ..] => letters,
        _ => return false,
    };
    letters.len() > 1 && letters.iter().all(|letter| letter.is_ascii_uppercase() || *letter == b'_')
}

/// `DB_PASSWORD`: what says where a secret is to be found, as `"secret": "DB_PASSWORD"` does. Taken for a secret it would be
/// redacted wherever a variable has this name.
fn is_name(value: &[u8]) -> bool {
    const LAST: [&[u8]; 8] =
        [b"_PASSWORD", b"_PASSWD", b"_PASSPHRASE", b"_SECRET", b"_TOKEN", b"_KEY", b"_PASS", b"_CREDENTIALS"];
    value.iter().all(|letter| letter.is_ascii_uppercase() || *letter == b'_')
        && LAST.iter().any(|last| value.ends_with(last))
}

/// `xxxx-xxxx`, `********`, `...`: one letter, or two in a longer value. And what a redaction left: the letters that it fills
/// with may end at another place than the value does, and what is behind them is no secret. Half of the value they are at
/// least: a secret in which one letter is repeated is still one.
fn is_filler(value: &[u8]) -> bool {
    const FILLED: &[u8] = &[LETTER; 8];
    let letters = value.iter().filter(|letter| **letter == LETTER).count();
    if value.starts_with(FILLED) && 2 * letters >= value.len() {
        return true;
    }
    let mut kinds: Vec<u8> = Vec::with_capacity(3);
    for letter in value {
        if !kinds.contains(letter) {
            kinds.push(*letter);
        }
        if kinds.len() > 2 {
            return false;
        }
    }
    kinds.len() < 2 || value.len() >= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_and_manuals_fill_in_is_no_secret() {
        let filled_in = [
            "%s",
            "${TOKEN}",
            "%{User-Password}",
            "<your token>",
            "{token}",
            "<secret-id>]",
            "password]",
            "(.*?)(",
            "$ROOT",
            "$PG_PASS2",
        ];
        for value in filled_in.iter().chain(&["xxxxxxxx", "xxxx-xxxx", "****", "YOUR_KEY", "your secret"]) {
            assert!(is_template(value.as_bytes()) || is_filler(value.as_bytes()), "{value}");
        }
        assert!(is_filler(b"XXXXXXXXXXX\\u0000X=1"), "a redacted value, and what stands behind it");
        assert!(!is_filler(b"hunter2-XXXXXXXX-hunter3") && !is_filler(b"XXXXXXXXhunter2-hunter3"));
        for value in ["DB_PASSWORD", "STRIPE_SECRET_KEY", "GITHUB_TOKEN"] {
            assert!(is_name(value.as_bytes()), "{value}");
        }
        assert!(!is_name(b"DB_PASSWORD7") && !is_name(b"MONKEY") && !is_name(b"db_password"));
        for value in ["abba", "x%s", "my", "yourself9", "a{b}", "Tr0ub]", "(k7Qv)", "<k7>Qv]", "$UMMER2024", "$ecret"] {
            assert!(!is_template(value.as_bytes()) && !is_filler(value.as_bytes()), "{value}");
        }
    }
}
