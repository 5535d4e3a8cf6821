//! Secrets that strongSwan shares with others: pre-shared keys of IPsec, and passwords of EAP, which stand in its memory without a name.
//!
//! `private_shared_key_t` (src/libstrongswan/credentials/keys/shared_key.c) is an object of four methods (`get_type`, `get_key`,
//! `get_ref`, `destroy`), behind which stand `shared_key_type_t type; chunk_t key; refcount_t ref;`, the key being a pointer and a length.
//! The methods are functions of one source file, and before the first one stands no pointer but the allocator's length.
//!
//! Only processes of 64 bits in little-endian order are known here. Cost: nothing where strongSwan is not in the dump, and else one look at
//! each word.

use super::structures::{self, Place, Walk, is_pointer};
use super::{Clue, Clues, Hunt, Hunter, Shown};
use crate::detect::{Far, Hits};
use crate::finding::{Rule, Severity};

/// The rule of these secrets.
const RULE: &str = "ipsec-shared-secret";
/// Kinds of secrets: `SHARED_IKE` is the first, `SHARED_PIN` the last.
const KINDS: std::ops::RangeInclusive<u64> = 1..=6;
/// Bytes of a secret.
const LENGTHS: std::ops::RangeInclusive<u64> = 4..=512;
/// Bytes of code that the methods are within.
const CODE: u64 = 1 << 12;
/// Who may hold the object at a time.
const HOLDERS: std::ops::RangeInclusive<u32> = 1..=1 << 10;

/// Hunts for secrets of strongSwan.
pub struct IkeSecrets;

impl Hunter for IkeSecrets {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule::new(
            RULE,
            "Shared secret of IPsec",
            Severity::Critical,
            "A pre-shared key or a password with which strongSwan and its peers prove to each other who they are.",
            "Agree on a new one with all who have it, and look for connections that nobody expected since the crash.",
        )]
    }

    fn needs(&self, clues: &Clues) -> bool {
        clues.iter().any(|clue| *clue == Clue::StrongSwan)
    }

    fn prepare(&self, _clues: &Clues) -> Box<dyn Hunt> {
        Box::new(Objects::default())
    }
}

#[derive(Default)]
struct Objects(Walk);

impl Hunt for Objects {
    fn hunt(&self, shown: &Shown<'_>, out: &mut Hits) {
        let mask = |block: &_| structures::words(block, |word| KINDS.contains(&word));
        self.0.each(shown, mask, |place| out.far.extend(secret(place)));
    }

    fn given_up(&self) -> Option<String> {
        let reason = "so much looks like secrets of strongSwan that not all could be looked at; one may be missed: the dump is made to mislead";
        self.0.is_spent().then(|| reason.to_owned())
    }
}

/// The secret of the object whose kind stands at the place.
fn secret(place: &Place<'_>) -> Option<Far> {
    let methods = [4, 3, 2, 1].map(|words| place.before(words).filter(|word| is_pointer(*word)).unwrap_or_default());
    let (first, last) = (methods.iter().min()?, methods.iter().max()?);
    let differ = methods.is_sorted_by(|one, next| one != next);
    let are_methods = *first != 0 && last - first < CODE && differ;
    let (pointer, len) = (place.behind(1)?, place.behind(2)?);
    // The number of holders takes half a word.
    let holders = place.behind(3)? as u32;
    let begins = place.before(5).is_none_or(|word| !is_pointer(word));
    if !are_methods || !begins || !is_pointer(pointer) || !LENGTHS.contains(&len) || !HOLDERS.contains(&holders) {
        return None;
    }
    let bytes = place.read(pointer, usize::try_from(len).ok()?)?;
    let letters = bytes.expose();
    let is_text = letters.iter().all(|byte| matches!(byte, b' '..=b'~' | 0x80..));
    let kind = if place.behind(0)? == *KINDS.start() { "IKE" } else { "EAP" };
    let (context, spans) = ("strongSwan".to_owned(), place.spans(pointer, letters.len()));
    Some(match is_text {
        true => place.password(RULE, kind, context, &bytes, spans),
        false => place.key(RULE, kind, context, letters, spans),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::testing::{BASE, hunted, memory, words};
    use crate::keys::testing::noise;
    use crate::span::Span;
    use crate::vault::Secret;

    const OBJECT: [u64; 9] = [0x55, 0x7f_0050, 0x7f_0060, 0x7f_0070, 0x7f_0080, 1, BASE + 0x500, 13, 1 | 0x7f << 32];

    fn found(object: &[u64], secret: &[u8], size: usize) -> Vec<Far> {
        let memory = memory(0x800, &[(0x100, &words(object)), (0x500, secret)]);
        hunted(&IkeSecrets, Clue::StrongSwan, &memory, size).far
    }

    #[test]
    fn what_the_object_holds_is_told_as_text_or_bytes() {
        let bytes = noise(13, 5);
        for (secret, want) in [(&b"vq7-Kzp!4mW2x"[..], Secret::text(b"vq7-Kzp!4mW2x")), (&bytes, Secret::bytes(&bytes))]
        {
            for size in [0x800, 0x88, 0x18] {
                let far = found(&OBJECT, secret, size);
                assert_eq!((far.len(), &far[0].spans[..]), (1, &[Span::new(0x500, 13)][..]));
                assert_eq!(far[0].hit.secret.identity(), want.identity());
                assert_eq!(far[0].hit.public.kind, "IKE");
            }
        }
    }

    #[test]
    fn other_objects_are_none() {
        let wrong =
            [(0, 0x7f_0040), (1, 3), (2, 0x7f_0070), (4, 0x8f_0080), (5, 9), (6, 13), (7, 3), (7, 1 << 20), (8, 0)];
        for (at, wrong) in wrong {
            let mut object = OBJECT;
            object[at] = wrong;
            assert!(found(&object, b"vq7-Kzp!4mW2x", 0x800).is_empty(), "{at}");
        }
    }
}
