//! What hunters find in a window, and what the rules of text say of values that stand far from their names.
//!
//! Name and value are put together to a text as configuration has it, and looked at like a window. What the rules find counts where it is
//! the whole value: of a part of it, such as the password in a URL, the local pass told already.

use std::ops::Range;

use zeroize::Zeroizing;

use super::Engine;
use super::of_code::is_of_code;
use crate::detect::{Far, Hit, Hits, Named, object_names};
use crate::finding::{Encoding, Form};
use crate::hunt::{Clues, HUNTERS, Hunt, Shown};
use crate::vault::SecretBytes;
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
    let named = |value: &&str| Named {
        name: name.to_vec(),
        value: SecretBytes::new(value.as_bytes()),
        spans: Vec::new(),
        encoding: Encoding::Plain,
    };
    LIKELY.iter().map(named).any(|named| secret(engine, named).is_some())
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
    let (text, places) = texts(&named);
    let window = Window::new(&text, 0..text.len(), &[], &[]);
    let is_value = |hit: &Hit| places.contains(&hit.range) && hit.form.encoding == Encoding::Plain;
    let hit = engine.look(&window).0.hits.into_iter().find(is_value)?;
    let form = Form { encoding: named.encoding, ..hit.form };
    Some(Far { hit: Hit { range: 0..1, form, ..hit }, spans: named.spans })
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
