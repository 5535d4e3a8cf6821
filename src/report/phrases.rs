//! What printers for other programs say of a finding and of a place, in the same short words.

use crate::report::units::Count;
use crate::report::{Inert, PlacedSite, Report, ReportFinding, Short, words};

/// What the finding is, e.g. `RSA private key, RSA-2048 (proven)`.
#[must_use]
pub fn headline(report: &Report, finding: &ReportFinding) -> String {
    let title = report.rule(finding).map_or("", |rule| &rule.title);
    let kind = match finding.public.kind.as_str() {
        "" => String::new(),
        kind => format!(", {}", Short(kind)),
    };
    format!("{}{kind} ({})", Inert(title), words::name(finding.evidence))
}

/// Where a site is, e.g. `16 bytes at offset 0x4d2, stack of thread 4711, address 0x7ffc12345678`.
#[must_use]
pub fn place(placed: &PlacedSite<'_>) -> String {
    let PlacedSite { site, spot, .. } = placed;
    let mut words = format!("{} at offset {:#x}, {}", Count(site.len(), "byte"), site.offset(), Short(spot.label));
    if let Some(address) = spot.address {
        words.push_str(&format!(", address {address}"));
    }
    if let Some((module, offset)) = spot.module {
        words.push_str(&format!(" ({}+{offset:#x})", Short(module)));
    }
    words
}

/// What names the secret beyond one report: its keyed fingerprint, or else its public key; text without a key for
/// fingerprints has neither.
#[must_use]
pub fn identity(finding: &ReportFinding) -> Option<String> {
    let spki = || finding.public.spki_sha256.as_ref().map(|digest| format!("spki-sha256:{digest}"));
    finding.fingerprint.clone().or_else(spki)
}
