//! What hunters find in a window, and what the rules of text say of values that stand far from their names.
//!
//! Name and value are put together to a text as configuration has it, and looked at like a window. What the rules find counts where it is
//! the whole value: of a part of it, such as the password in a URL, the local pass told already. The octets of a key, which no text can
//! hold, count where a rule would take a text of that name.

use std::ops::Range;

use zeroize::Zeroizing;

use super::Engine;
use super::of_code::is_of_code;
use crate::detect::{Far, Hit, Hits, Named, object_names};
use crate::finding::{Encoding, Form, Layout, Piece};
use crate::hunt::{Clues, HUNTERS, Hunt, Shown};
use crate::vault::{Secret, SecretBytes};
use crate::window::Window;

/// What is hunted for with these clues.
pub fn hunts(clues: &Clues) -> Vec<Box<dyn Hunt>> {
    HUNTERS.iter().filter(|hunter| hunter.needs(clues)).map(|hunter| hunter.prepare(clues)).collect()
}

/// What is hunted for because of what these found.
pub fn further(engine: &Engine, hunts: &[Box<dyn Hunt>]) -> Vec<Box<dyn Hunt>> {
    hunts.iter().filter_map(|hunt| hunt.further(&|name| is_wanted(engine, name))).collect()
}

/// Whether there is a value of this name that a rule takes for a secret.
fn is_wanted(engine: &Engine, name: &[u8]) -> bool {
    likely(engine, name).is_some()
}

/// What a rule makes of a value that is likely under this name.
fn likely(engine: &Engine, name: &[u8]) -> Option<Far> {
    let named = |value: &&str| Named {
        name: name.to_vec(),
        value: SecretBytes::new(value.as_bytes()),
        spans: Vec::new(),
        encoding: Encoding::Plain,
    };
    LIKELY.iter().map(named).find_map(|named| secret(engine, named))
}

/// Values that are secrets under most names: a password, and what is made at random in several alphabets. They are of nobody.
const LIKELY: &[&str] = &[
    "Vq7-kz!pW4mTx9",
    "vq7kzpw4mtx9hdnc3rjb",
    "b7f04e9d21c86a35f8e1d40379ac62be",
    "Zk3vQ9xTq0LmR7wYc5Hn8BpJd2Gs6FuEa4XiVoNt",
    "5e07c1d94ab8f3620d97e4b15c38fa2694e1b07d3c6fa85219f4dc830be7a965",
];

/// What they find in a window.
pub fn hits(engine: &Engine, hunts: &[Box<dyn Hunt>], shown: &Shown<'_>) -> Hits {
    let mut hits = Hits::default();
    hunts.iter().for_each(|hunt| hunt.hunt(shown, &mut hits));
    let named = std::mem::take(&mut hits.named);
    hits.far.extend(named.into_iter().filter_map(|named| secret(engine, named)));
    hits
}

/// What a rule makes of a value by its name.
fn secret(engine: &Engine, named: Named) -> Option<Far> {
    if is_of_code(&named.name, named.value.expose()) {
        return None;
    }
    if !named.value.expose().iter().all(|letter| (b' '..=b'~').contains(letter)) {
        return key(engine, named);
    }
    let (text, places) = texts(&named);
    let window = Window::new(&text, 0..text.len(), &[], &[]);
    let is_value = |hit: &Hit| places.contains(&hit.range) && hit.form.encoding == Encoding::Plain;
    let hit = engine.look(&window).0.hits.into_iter().find(is_value)?;
    let form = Form { encoding: named.encoding, ..hit.form };
    Some(Far { hit: Hit { range: 0..1, form, ..hit }, spans: named.spans })
}

/// What a rule makes of octets that are no text by their name.
fn key(engine: &Engine, named: Named) -> Option<Far> {
    let Far { hit, .. } = likely(engine, &named.name)?;
    let form = Form { layout: Layout::Bare, encoding: named.encoding, piece: Piece::Whole };
    let secret = Secret::bytes(named.value.expose());
    Some(Far { hit: Hit { secret, form, range: 0..1, ..hit }, spans: named.spans })
}

/// An assignment and a member of an object, and where the value stands in them.
fn texts(named: &Named) -> (Zeroizing<Vec<u8>>, [Range<usize>; 2]) {
    let Named { name, value, .. } = named;
    // Rules know no number behind a name.
    let ends = (0..name.len()).find(|at| name.get(*at..).is_some_and(|rest| object_names::number(rest) == rest.len()));
    let name = name.get(..ends.unwrap_or(name.len())).unwrap_or_default();
    // `_secret_value`, as pydantic has it.
    let name = name.strip_suffix(b"_value").unwrap_or(name);
    let value = value.expose();
    let parts = [b"\0", name, b"=", value, b"\0\"", name, b"\": \"", value, b"\"\0"];
    let before = |parts: &[&[u8]]| parts.iter().map(|part| part.len()).sum::<usize>();
    let places = [3, 7].map(|i| before(parts.get(..i).unwrap_or_default())).map(|at| at..at + value.len());
    (Zeroizing::new(parts.concat()), places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect;
    use crate::keys::testing::noise;
    use crate::vault::PartKind;

    #[test]
    fn octets_count_under_names_of_secrets_only() {
        let engine = Engine::new(detect::detectors().unwrap()).unwrap();
        let named = |name: &str, value: &[u8]| Named {
            name: name.as_bytes().to_vec(),
            value: SecretBytes::new(value),
            spans: Vec::new(),
            encoding: Encoding::Plain,
        };
        for (name, len) in [("SECRET_KEY", 32), ("api_key", 16), ("app_secret_2", 24), ("authToken", 64)] {
            let key = noise(len, 7);
            let Some(Far { hit, .. }) = secret(&engine, named(name, &key)) else { panic!("{name}") };
            let [part] = hit.secret.parts() else { panic!("{name}") };
            assert!(part.kind == PartKind::Bytes && part.bytes.expose() == key, "{name}");
            assert_eq!(hit.form.layout, Layout::Bare);
        }
        for name in ["cache_key", "public_key", "sort_key", "KEY"] {
            assert!(secret(&engine, named(name, &noise(32, 7))).is_none(), "{name}");
        }
    }
}
