//! Hooks: dumps are decided on where they come from, before anything else gets at them.
//!
//! ```text
//! a hook of one kind -> desk: slot, own copy, worker's verdict -> passed | redacted | quarantined | failed closed -> log
//! ```
//!
//! Every kind of hook is one file that knows where dumps come from and where they go; the [`desk::Desk`] decides. A decision is
//! written down before it is carried out ([`item`]), so that a kill at any moment loses no dump, passes none on undecided, and
//! lets none be decided twice.
//!
//! | file | is about |
//! |---|---|
//! | `place` | folders that others write to, without following what they put in the way |
//! | `slots`, `copy`, `item`, `ledger` | one dump on its way |
//! | `worker`, `judge`, `verdict` | the process that looks at dumps, and what it says |
//! | `put_back` | the folder that a dump came from |
//! | `quarantine` | dumps that do not go on |
//! | `told` | log and metrics |
//! | `watch` | waiting for a folder |
//! | `core_pattern`, `folder`, ... | one kind of hook each |

pub mod copy;
pub mod core_pattern;
pub mod crashpad;
pub mod desk;
pub mod file;
pub mod folder;
pub mod identity;
pub mod item;
pub mod judge;
pub mod ledger;
pub mod place;
pub mod put_back;
pub mod quarantine;
pub mod slots;
pub mod told;
pub mod verdict;
pub mod watch;
pub mod worker;
