//! Every stack unwinds as before.

use crate::dump::DumpMap;
use crate::error::Result;
use crate::image::Image;
use crate::redact::prove::{Case, Check, Manner, StackCounts};

/// Whether all threads of both files have the same frames.
///
/// # Errors
/// When a file cannot be read.
pub fn same(_case: &Case<'_>, _new: &Image, _map: &DumpMap, manner: &Manner) -> Result<(Check, Option<StackCounts>)> {
    const NAME: &str = "stacks";
    if !manner.stacks {
        return Ok((Check::not_shown(NAME, "switched off by the user"), None));
    }
    Ok((Check::not_shown(NAME, "pending"), None))
}
