//! A panic is a bug, and its message could quote what it choked on. So the default message, which prints the payload, is
//! replaced by one that says where and nothing else.

use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::error::{Error, Result};

/// Replaces the message that panics print.
pub fn install() {
    panic::set_hook(Box::new(|info| {
        let _ = writeln!(anstream::stderr(), "{}", message(info));
    }));
}

/// Does `work`; a panic in it, on whatever thread, becomes [`Error::Internal`] with the name of the work.
///
/// # Errors
/// Only after a panic.
pub fn guard<R>(what: &'static str, work: impl FnOnce() -> R) -> Result<R> {
    // Nothing that `work` may have left half-done is looked at afterwards.
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::Internal(what))
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let at = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!(
        "dumpscrub: internal error at {at}\n\
         This is a bug in dumpscrub. Please report the line above; it holds nothing of what was scanned."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_quotes_nothing() {
        let error = guard("testing", || -> u8 { panic!("hunter2") }).unwrap_err().to_string();
        assert!(error.contains("internal error while testing") && !error.contains("hunter2"), "{error}");
        assert_eq!(guard("testing", || 5).unwrap(), 5);
    }
}
