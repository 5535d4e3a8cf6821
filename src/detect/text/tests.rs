use super::*;
use crate::detect::testing::{WIDTHS, embed, hits};
use crate::detect::{Candidate, Detector as _, Hits};
use crate::finding::Evidence;
use crate::window::Window;

/// A rule of these lines, with what every rule must have.
fn rule(lines: &str) -> TextRule {
    try_rule(lines).unwrap_or_else(|e| panic!("{e}"))
}

fn try_rule(lines: &str) -> Result<TextRule> {
    let text = format!(
        "[[rules]]\nid = \"t\"\ntitle = \"t\"\nseverity = \"low\"\ndescription = \"t\"\nremedy = \"t\"\nexamples = []\n\
         counter_examples = []\n{lines}"
    );
    parse("mine.toml", &text).map(|mut rules| rules.remove(0))
}

fn refusal(lines: &str) -> String {
    try_rule(lines).map_or_else(|e| e.to_string(), |_| panic!("not refused: {lines}"))
}

/// The texts of what a rule finds, in each width.
fn found(rule: &TextRule, text: &str) -> usize {
    let counts = WIDTHS.map(|width| hits(rule, &embed(text, width, true)).len());
    assert!(counts.iter().all(|count| *count == counts[0]), "{text}: {counts:?}");
    counts[0]
}

const TOKEN: &str = "literals = [\"tok_\"]\npattern = '(?P<secret>tok_[a-z]{8})'\n";

#[test]
fn a_boundary_is_a_letter_outside_the_alphabet_or_nothing() {
    let both = rule(&format!("{TOKEN}alphabet = \"a-z_\""));
    for (text, finds) in
        [("tok_abcdefgh", 1), ("0tok_abcdefgh0", 1), ("xtok_abcdefgh", 0), ("tok_abcdefghx", 0), ("_tok_abcdefgh", 0)]
    {
        assert_eq!(found(&both, text), finds, "{text}");
    }
    for (boundary, before, behind) in [("start", 0, 1), ("end", 1, 0), ("none", 1, 1)] {
        let rule = rule(&format!("{TOKEN}alphabet = \"a-z_\"\nboundary = \"{boundary}\""));
        assert_eq!((found(&rule, "xtok_abcdefgh"), found(&rule, "tok_abcdefghx")), (before, behind), "{boundary}");
    }
}

#[test]
fn a_regions_edge_is_a_boundary() {
    let rule = rule(&format!("{TOKEN}alphabet = \"a-z_\""));
    let bytes = b"xxtok_abcdefghxx";
    let seen = |edges: &[usize]| {
        let mut out = Hits::default();
        let window = Window::new(bytes, 0..bytes.len(), &[], edges);
        rule.confirm(Candidate { at: 2, literal: 0, wide: false }, &window, &mut out);
        out.hits.iter().map(|hit| hit.range.clone()).collect::<Vec<_>>()
    };
    assert!(seen(&[]).is_empty() && seen(&[2]).is_empty() && seen(&[14]).is_empty());
    assert!(seen(&[2, 14]).contains(&(2..14)));
    // A dump may say that a region ends at every byte; what is looked at stays bounded.
    assert!(seen(&(0..bytes.len()).collect::<Vec<_>>()).len() <= 2);
}

#[test]
fn a_word_must_stand_near_in_any_case_and_width() {
    let rule = rule(&format!("{TOKEN}near = [\"widget\"]\nwithin = 10"));
    for (text, finds) in [
        ("WIDGET=tok_abcdefgh", 1),
        ("tok_abcdefgh (Widget)", 1),
        ("widget 1234567890 tok_abcdefgh", 0),
        ("tok_abcdefgh", 0),
    ] {
        assert_eq!(found(&rule, text), finds, "{text}");
    }
}

#[test]
fn a_secret_stands_around_its_anchor() {
    let rule = rule(
        "literals = [\"KEY\"]\nanchor = 'KEY[0-9]{4}'\naround = 40\npattern = '(?P<secret>[a-f]{16})'\nalphabet = \"a-z\"\n\
         after = 8",
    );
    for (text, finds) in [
        ("KEY1234 abcdefabcdefabcd", 1),
        ("abcdefabcdefabcd, KEY1234", 1),
        ("abcdefabcdefabcd KEY1234 fabcdefabcdefabc", 2),
        ("KEY12 abcdefabcdefabcd", 0),
        ("KEY1234 abcdefabcdefabcdx", 0),
        ("KEY1234 ----------------------------------------abcdefabcdefabcd", 0),
    ] {
        assert_eq!(found(&rule, text), finds, "{text}");
    }
    // Two objects of the heap with binary bytes between them.
    let apart = [b"KEY1234\0\xff\x07\0\x80\0\0\0".as_slice(), b"abcdefabcdefabcd\0\0"].concat();
    assert_eq!(hits(&rule, &apart).len(), 1);
}

#[test]
fn letters_are_counted_and_weighed() {
    let least = rule(&format!("{TOKEN}alphabet = \"a-z_\"\nentropy = 3.0"));
    assert_eq!((found(&least, "tok_abcdefgh"), found(&least, "tok_aaaabbbb")), (1, 0));
    let both = rule(
        "literals = [\"tok_\"]\npattern = 'tok_(?P<secret>[a-z0-9]{1,20})'\nlength = [6, 8]\nmust_hold = [\"0-9\"]",
    );
    for (text, finds) in [("tok_abc12", 0), ("tok_abc123", 1), ("tok_abcdef", 0), ("tok_abcdef123", 0)] {
        assert_eq!(found(&both, text), finds, "{text}");
    }
}

#[test]
fn a_checksum_that_holds_is_better_evidence_and_one_that_does_not_is_no_secret() {
    let lines = "literals = [\"tag:\"]\npattern = 'tag:(?P<secret>[0-9]{12})'\nchecksum = \"luhn\"\n";
    let (strict, lenient) = (rule(lines), rule(&format!("{lines}checksum_optional = true")));
    let evidence = |rule: &TextRule, text: &str| hits(rule, text.as_bytes()).first().map(|hit| hit.evidence);
    assert_eq!(evidence(&strict, "tag:079927398713"), Some(Evidence::Parsed));
    assert_eq!(evidence(&strict, "tag:079927398714"), None);
    assert_eq!(evidence(&lenient, "tag:079927398714"), Some(Evidence::Matched));
}

#[test]
fn basic_credentials_are_told_as_their_password_where_the_base64_stands() {
    let rule = built_in().unwrap().into_iter().find(|rule| rule.text().id == "http-basic").unwrap();
    // `svc:correct horse battery`
    let text = b"Authorization: Basic c3ZjOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==\r\n";
    let all = hits(&rule, text);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].secret.parts()[0].bytes.expose(), b"correct horse battery");
    assert_eq!(&text[all[0].range.clone()], b"c3ZjOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==");
}

#[test]
fn what_would_cost_too_much_or_never_match_is_refused_by_name() {
    let pattern = "pattern = '(?P<secret>[a-z]{8})'\n";
    for (lines, why) in [
        (format!("literals = []\n{pattern}"), "has no literal"),
        (format!("literals = [\"to\"]\n{pattern}"), "`to`"),
        (format!("literals = [\"aaaa\"]\n{pattern}"), "`aaaa`"),
        (format!("literals = [\"tök\"]\n{pattern}"), "ASCII"),
        ("literals = [\"tok\"]\npattern = '(?P<secret>tok[a-z]+)'".to_owned(), "repeats without bound"),
        (
            "literals = [\"tok\"]\nafter = 40\npattern = '(?P<secret>(?:[a-z]{1,999}){1,999}tok)'".to_owned(),
            "does not compile",
        ),
        ("literals = [\"tok\"]\npattern = '(?P<secret>tok[a-z]{20000})'".to_owned(), "reaches 20003 letters"),
        ("literals = [\"tok\"]\npattern = 'tok[a-z]{8}'".to_owned(), "no group named `secret`"),
        ("literals = [\"tok\"]\npattern = '(?P<secret>tok[a-z){8})'".to_owned(), "does not compile"),
        (format!("{TOKEN}entropy = 2.0"), "needs an `alphabet`"),
        (format!("{TOKEN}alphabet = \"a-c\"\nentropy = 2.0"), "no value of its alphabet"),
        (format!("{TOKEN}alphabet = \"z-a\""), "no range"),
        (format!("{TOKEN}length = [9, 8]"), "least length"),
        (format!("{TOKEN}length = 99"), "shorter than its least length"),
        (format!("{TOKEN}near = [\"widget\"]"), "`within`"),
        (format!("{TOKEN}near = [\"ab\"]\nwithin = 5"), "3 ASCII letters"),
        (format!("{TOKEN}around = 5"), "`anchor`"),
        (format!("{TOKEN}checksum_optional = true"), "without a checksum"),
        (format!("{TOKEN}checksum = \"crc64\""), "crc64"),
        (format!("{TOKEN}decoders = [\"rot13\"]"), "rot13"),
        (format!("{TOKEN}colour = 1"), "colour"),
    ] {
        let told = refusal(&lines);
        assert!(told.contains(why) && told.contains("mine.toml"), "{lines}: {told}");
        assert!(told.contains("rule t: ") || told.contains("line"), "{told}");
    }
    // With a reach, nothing longer is looked at.
    assert!(try_rule("literals = [\"tok\"]\nafter = 40\npattern = '(?P<secret>tok[a-z]+)'").is_ok());
}

#[test]
fn a_rule_names_the_encodings_that_it_may_stand_under() {
    use crate::finding::Encoding::{Base64, Escaped, Hex, Percent};
    assert_eq!(rule(TOKEN).decoders(), [Base64, Hex, Percent, Escaped]);
    assert_eq!(rule(&format!("{TOKEN}decoders = [\"hex\"]")).decoders(), [Hex]);
}

#[test]
fn examples_may_stand_in_pieces() {
    let text = TOKEN.to_owned() + "[[rules.examples2]]";
    assert!(try_rule(&text).is_err());
    let file = format!(
        "[[rules]]\nid = \"t\"\ntitle = \"t\"\nseverity = \"low\"\ndescription = \"t\"\nremedy = \"t\"\n{TOKEN}\
         examples = [{{ text = [\"tok_\", \"abcdefgh\"] }}]\ncounter_examples = [[\"a\", \"b\"]]"
    );
    let rules = parse("t", &file).unwrap();
    let text = rules[0].text();
    assert_eq!((text.examples[0].secret(), &*text.counter_examples[0]), ("tok_abcdefgh", "ab"));
}

#[test]
fn every_rule_of_the_program_has_a_field_and_says_where_its_format_is_documented() {
    for rule in built_in().unwrap() {
        let text = rule.text();
        assert!(!text.field.is_empty(), "{}: its file names no field", text.id);
        let page = text.reference.as_deref().unwrap_or_default();
        assert!(page.starts_with("https://") || page.starts_with("http://"), "{}: it has no reference", text.id);
    }
}

#[test]
fn rules_that_know_words_only_are_paranoid() {
    for rule in &built_in().unwrap() {
        let text = rule.text();
        assert_eq!(text.id.starts_with("paranoid-"), text.profile == crate::finding::Profile::Paranoid, "{}", text.id);
    }
}

#[test]
fn every_pattern_of_the_program_compiles_within_the_limit_that_users_rules_have() {
    built_in().unwrap().iter().try_for_each(TextRule::build).unwrap();
}
