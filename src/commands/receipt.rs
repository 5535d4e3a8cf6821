//! `dumpscrub receipt`: a receipt for somebody who must sign off.

use std::path::Path;

use crate::commands::args::{Manner, ReceiptAction};
use crate::commands::exit;
use crate::commands::output::{Plain, to_stdout};
use crate::error::{Error, Result};
use crate::redact::receipt::{self, Receipt, Sealed};
use crate::report::receipt::show;

/// Shows a receipt.
///
/// # Errors
/// When it cannot be read or is none.
pub fn run(action: &ReceiptAction, manner: &Manner) -> Result<u8> {
    let ReceiptAction::Show { receipt: path } = action;
    let (sealed, receipt) = read(path)?;
    let signed_by = sealed.signatures.iter().flatten().map(|signed| signed.keyid.as_str()).collect::<Vec<_>>();
    to_stdout(|out| show(&receipt, &signed_by, manner.detail(), &mut Plain::new(out)))?;
    Ok(exit::CLEAN)
}

/// The receipt in a file, and what holds it.
///
/// # Errors
/// When it cannot be read or is none.
pub fn read(path: &Path) -> Result<(Sealed, Receipt)> {
    let sealed = receipt::open(path)?;
    let receipt = sealed.receipt().map_err(|reason| Error::Receipt { path: path.display().to_string(), reason })?;
    Ok((sealed, receipt))
}
