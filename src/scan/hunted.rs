//! What hunters find in a window, and what the rules of text say of values that stand far from their names.
//!
//! Name and value are put together to a text as configuration has it, and looked at like a window. What the rules find counts where it is
//! the whole value: of a part of it, such as the password in a URL, the local pass told already.

use std::ops::Range;

use zeroize::Zeroizing;

use super::Engine;
use crate::detect::{Far, Hit, Hits, Named};
use crate::finding::Encoding;
use crate::hunt::{Clues, HUNTERS, Hunt, Shown};
use crate::window::Window;

/// What is hunted for with these clues.
pub fn hunts(clues: &Clues) -> Vec<Box<dyn Hunt>> {
    HUNTERS.iter().filter(|hunter| hunter.needs(clues)).map(|hunter| hunter.prepare(clues)).collect()
}

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
    let (text, places) = texts(&named);
    let window = Window::new(&text, 0..text.len(), &[], &[]);
    let is_value = |hit: &Hit| places.contains(&hit.range) && hit.form.encoding == Encoding::Plain;
    let hit = engine.look(&window).0.hits.into_iter().find(is_value)?;
    Some(Far { hit: Hit { range: 0..1, ..hit }, spans: named.spans })
}

/// An assignment and a member of an object, and where the value stands in them.
fn texts(named: &Named) -> (Zeroizing<Vec<u8>>, [Range<usize>; 2]) {
    let Named { name, value, .. } = named;
    let value = value.expose();
    let parts = [b"\0", &name[..], b"=", value, b"\0\"", name, b"\": \"", value, b"\"\0"];
    let before = |parts: &[&[u8]]| parts.iter().map(|part| part.len()).sum::<usize>();
    let places = [3, 7].map(|i| before(parts.get(..i).unwrap_or_default())).map(|at| at..at + value.len());
    (Zeroizing::new(parts.concat()), places)
}
