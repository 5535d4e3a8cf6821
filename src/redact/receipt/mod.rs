//! The receipt: what was done to a dump and what was checked, for somebody who was not there.
//!
//! ```text
//! (Case, Proof) -> statement -> [envelope] -> file -> statement -> checks, answers, a page to sign off
//! ```
//!
//! A receipt is an in-toto statement about the redacted dump; where it is signed, a DSSE envelope holds the statement.
//! Unsigned it is written as it is, because a file that `grep` and `jq` read is worth more than an envelope that nobody
//! sealed. It holds no byte of a secret, and no digest of one that was made without a key.
//!
//! | file | does |
//! |---|---|
//! | `wire` | every field, written and read |
//! | `entries` | a plan and its findings as entries |
//! | `write`, `lines` | the statement, streamed, in lines that `grep` can use |
//! | `envelope`, `keys` | signatures, and the files that keys are in |
//! | `read` | a file back into a receipt whose parts fit together |
//! | `verify` | a receipt held against the files |

mod entries;
mod envelope;
pub mod keys;
mod lines;
mod read;
mod verify;
pub mod wire;
mod write;

pub use ed25519_dalek::{SigningKey, VerifyingKey};
pub use envelope::{PAYLOAD_TYPE, Signed};
pub use read::{Receipt, Sealed, open};
pub use verify::{Question, verify};
pub use write::{About, Facts, Inside, Whole, rule_set, write, write_whole};
