//! Redaction and its proof.

pub mod unwind;
