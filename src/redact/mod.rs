//! Redaction: from what a scan found to a dump without it, with proof.
//!
//! ```text
//! (Image, DumpMap, Outcome) -> Plan -> written file -> Proof
//! ```
//!
//! A [`Plan`] is complete before the first byte is written; its [`Edit`]s are sorted, disjoint and cannot express a change
//! of length. [`write`] copies the image with the plan laid over it and knows nothing of secrets. [`prove`] looks at the two
//! files with other eyes: only planned bytes differ, the map is the same, a fresh scan finds nothing that counts, no form of
//! any secret is left, and every stack unwinds as before. What that scan finds is covered too ([`rounds`]), and all is proven
//! once more. The written file gets its name only when all of that holds.

pub mod draft;
pub mod fill;
mod frozen;
pub mod plan;
pub mod prove;
pub mod receipt;
pub mod rounds;
pub mod unwind;
pub mod wrapped;
pub mod write;

pub use plan::{Edit, Left, Plan, Refusal, plan};
pub use prove::{Check, Digests, Proof, Verdict, attempt, prove};
pub use write::{Written, write};
