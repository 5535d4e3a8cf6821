//! dumpscrub finds private keys and credentials in crash dumps, as memory holds them.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")
)]

pub mod commands;
pub mod container;
pub mod detect;
pub mod dump;
pub mod error;
pub mod fill;
pub mod finding;
pub mod hook;
pub mod huffman;
pub mod hunt;
pub mod image;
pub mod inert;
pub mod keys;
pub mod known;
pub mod limits;
pub mod memory;
pub mod parallel;
pub mod policy;
pub mod redact;
pub mod report;
pub mod rules_import;
pub mod scan;
pub mod span;
pub mod vault;
pub mod window;
