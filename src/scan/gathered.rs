//! What the second walk brings along: from one window, and of the whole image.

use crate::hunt::ec_places::Places;
use crate::hunt::ec_scalars::Scalars;
use crate::hunt::field_primes::{self, FieldPrimes};
use crate::hunt::long_digits::{LongDigits, Written};
use crate::hunt::record_keys::{Handshake, Handshakes};
use crate::hunt::{Clue, Clues, montgomery};
use crate::scan::collapse::Seen;

/// What the second walk sees in one window.
pub struct Bare {
    /// What the clues of the local pass are enough for.
    pub hunted: Seen,
    /// What may begin with a modulus.
    pub candidates: montgomery::Seen,
    /// Public keys of elliptic curves.
    pub points: Vec<Clue>,
    /// What may be a private one.
    pub places: Places,
    /// What other keys may be computed with.
    pub primes: field_primes::Seen,
    /// Numbers in digits that nobody but libtommath has.
    pub digits: Vec<Written>,
    /// What connections of TLS 1.2 may keep of their handshakes.
    pub handshakes: Vec<Handshake>,
}

/// What the second walk leaves to be tried.
pub struct Gathered {
    /// What no structure told of.
    pub moduli: Clues,
    pub scalars: Scalars,
    pub primes: FieldPrimes,
    pub digits: LongDigits,
    pub handshakes: Handshakes,
}
