//! Local detection: what can be told from the bytes around one place.
//!
//! A [`Detector`] names a cheap [`Trigger`]; the scan engine looks for all triggers in one pass and hands each place that
//! fits to the detector as a [`Candidate`]. A candidate may be wrong but must never be missing: the trigger gives no false
//! negatives, the detector confirms. Adding a detector is one file and one line in `detectors`.

pub mod aes_schedule;
pub mod aws_ids;
pub mod base64_run;
pub mod capi;
pub mod cipher_state;
pub mod client_texts;
pub mod cng;
pub mod curve_points;
mod decoded;
pub mod der;
pub mod dpapi;
pub mod gzip_streams;
pub mod header_fields;
pub mod hmac_pads;
pub mod jwk;
pub mod kerberos;
pub mod key_xml;
pub mod ntlm;
pub mod object_names;
pub mod openssh;
pub mod pem;
pub mod pfx;
pub mod pgp;
pub mod process_names;
pub mod public_keys;
pub mod putty;
mod round_constants;
pub mod sexp;
pub mod shielded;
pub mod signed_sessions;
pub mod signed_tokens;
pub mod structure;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
mod text_view;
pub mod ticket_keys;
pub mod tls_secrets;
pub mod tls_sessions;
mod trigger;
#[cfg(feature = "yara")]
pub mod yara;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::detect::text::TextRule;
use crate::error::{Error, Result};
use crate::finding::{Encoding, Evidence, Form, Profile, PublicIdentity, Rule, Severity};
use crate::hunt::Clue;
use crate::limits::Budget;
use crate::span::Span;
use crate::vault::{Secret, SecretBytes};
use crate::window::Window;

pub use decoded::Decoded;
pub use text_view::TextView;
pub use trigger::{Candidate, Literal, REPEATED, Reach, TEXT, Trigger};

/// Finds one family of secrets.
pub trait Detector: Sync + Send {
    /// The rules whose findings it can make.
    fn rules(&self) -> Vec<Rule>;
    /// What makes a place worth a look.
    fn trigger(&self) -> Trigger;
    /// How far before and behind the trigger it must see, in bytes of ASCII; UTF-16 is given twice that.
    fn reach(&self) -> Reach;
    /// Looks at one candidate and tells what it found.
    fn confirm(&self, candidate: Candidate, window: &Window<'_>, out: &mut Hits);
    /// What stands there in a code that only this detector reads, for all detectors to look at. What is
    /// decoded is taken from the budget, also where nothing comes of it.
    fn decoded(&self, _candidate: Candidate, _window: &Window<'_>, _budget: &mut Budget) -> Vec<Decoded> {
        Vec::new()
    }
    /// Whether it is to look at what was decoded from `encoding`.
    fn looks_under(&self, _encoding: Encoding) -> bool {
        true
    }
}

/// Every detector of the default profile: those in code, and one for each text rule that is part of the program.
///
/// # Errors
/// [`crate::error::Error::Rules`] when a rule file is wrong, which the tests rule out for the built-in ones.
pub fn detectors() -> Result<Vec<Box<dyn Detector>>> {
    detectors_of(Profile::Default)
}

/// The same for any profile.
///
/// # Errors
/// As [`detectors`].
pub fn detectors_of(profile: Profile) -> Result<Vec<Box<dyn Detector>>> {
    detectors_with(&[], profile)
}

/// The detectors in code, and one for each rule of the program's that knows its secrets.
fn knowing(texts: Vec<TextRule>) -> Vec<Box<dyn Detector>> {
    let mut all: Vec<Box<dyn Detector>> = vec![
        Box::new(pem::Pem),
        Box::new(der::Der),
        Box::new(der::EncryptedDer),
        Box::new(openssh::OpenSsh),
        Box::new(putty::Putty),
        Box::new(public_keys::PublicKeys),
        Box::new(curve_points::CurvePoints),
        Box::new(aes_schedule::AesSchedule),
        Box::new(shielded::Shielded),
        Box::new(cipher_state::CipherState),
        Box::new(tls_secrets::TlsSecrets),
        Box::new(tls_sessions::TlsSessions),
        Box::new(ticket_keys::TicketKeys),
        Box::new(hmac_pads::HmacPads),
        Box::new(signed_tokens::SignedTokens),
        Box::new(signed_sessions::SignedSessions),
        Box::new(aws_ids::AwsIds),
        Box::new(object_names::ObjectNames),
        Box::new(capi::Capi),
        Box::new(cng::Cng),
        Box::new(dpapi::Dpapi),
        Box::new(jwk::Jwk),
        Box::new(key_xml::KeyXml),
        Box::new(pfx::Pfx),
        Box::new(ntlm::Ntlm),
        Box::new(pgp::Pgp),
        Box::new(kerberos::Kerberos),
        Box::new(sexp::Sexp),
        Box::new(process_names::ProcessNames),
        Box::new(client_texts::ClientTexts),
        Box::new(header_fields::HeaderFields),
        Box::new(gzip_streams::GzipStreams),
    ];
    all.extend(boxed(texts));
    all
}

fn boxed(texts: Vec<TextRule>) -> impl Iterator<Item = Box<dyn Detector>> {
    texts.into_iter().map(|rule| Box::new(rule) as Box<dyn Detector>)
}

/// Every detector of the program, and one for each rule of the user's files, as far as `profile` has them.
///
/// # Errors
/// [`crate::error::Error::Open`] or [`crate::error::Error::Rules`] when a file cannot be read, is wrong, or has a rule of an
/// id that is taken.
pub fn detectors_with(files: &[PathBuf], profile: Profile) -> Result<Vec<Box<dyn Detector>>> {
    let texts = text::built_in()?;
    let mut ids: BTreeSet<String> = texts.iter().map(|rule| rule.text().id.clone()).collect();
    let wanted = texts.into_iter().filter(|rule| rule.text().profile <= profile);
    let (general, others) = wanted.partition(|rule| rule.text().general);
    let mut all = knowing(others);
    ids.extend(all.iter().flat_map(|detector| detector.rules()).map(|rule| rule.id));
    for file in files {
        for detector in detectors_in(file)? {
            let rules = detector.rules();
            if let Some(taken) = rules.iter().find(|rule| !ids.insert(rule.id.clone())) {
                let reason = format!("rule {}: its id is also that of another rule", taken.id);
                return Err(Error::Rules { file: file.display().to_string(), reason });
            }
            if rules.iter().any(|rule| rule.profile <= profile) {
                all.push(detector);
            }
        }
    }
    // Of two rules that find the same, the first one names it: what is for any secret comes last, behind the user's.
    all.extend(boxed(general));
    Ok(all)
}

/// The detectors of one file of the user's.
fn detectors_in(file: &Path) -> Result<Vec<Box<dyn Detector>>> {
    if is_yara(file) {
        return of_yara(file);
    }
    Ok(text::load(file)?.into_iter().map(|rule| Box::new(rule) as Box<dyn Detector>).collect())
}

/// Whether the file's name says that it holds rules of YARA.
#[must_use]
pub fn is_yara(file: &Path) -> bool {
    file.extension().is_some_and(|end| end.eq_ignore_ascii_case("yar") || end.eq_ignore_ascii_case("yara"))
}

#[cfg(feature = "yara")]
fn of_yara(file: &Path) -> Result<Vec<Box<dyn Detector>>> {
    Ok(vec![Box::new(yara::load(file)?)])
}

#[cfg(not(feature = "yara"))]
fn of_yara(file: &Path) -> Result<Vec<Box<dyn Detector>>> {
    let reason = "rules of YARA need a program that was built with the feature `yara` (`cargo install dumpscrub \
                  --features yara`), and this one was not";
    Err(Error::Rules { file: file.display().to_string(), reason: reason.to_owned() })
}

/// A secret seen at one place.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The rule's id.
    pub rule: String,
    /// `Some(Info)` where this very secret is public knowledge.
    pub severity: Option<Severity>,
    /// How sure it is.
    pub evidence: Evidence,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// The secret itself.
    pub secret: Secret,
    /// Where it stands in the window: the bytes that redaction would replace.
    pub range: Range<usize>,
    /// How it is held there.
    pub form: Form,
}

/// A secret that stands elsewhere than in the window that led to it.
#[derive(Clone, Debug)]
pub struct Far {
    /// The secret; its range is what led to it.
    pub hit: Hit,
    /// Where it stands, in the order of its bytes; more than one span where memory goes on elsewhere in the file.
    pub spans: Vec<Span>,
}

/// A value that stands elsewhere than its name, as objects of a running program do: whether it is a secret is for the rules of text to
/// say.
#[derive(Debug)]
pub struct Named {
    /// The letters of the name.
    pub name: Vec<u8>,
    /// The value.
    pub value: SecretBytes,
    /// Where the value stands, in the order of its bytes.
    pub spans: Vec<Span>,
    /// How it is written there.
    pub encoding: Encoding,
}

/// Where detectors put what they find.
#[derive(Debug, Default)]
pub struct Hits {
    /// Secrets.
    pub hits: Vec<Hit>,
    /// Secrets that were reached by following a pointer.
    pub far: Vec<Far>,
    /// Values to be judged by their names.
    pub named: Vec<Named>,
    /// What the next passes may use.
    pub clues: Vec<Clue>,
}

impl Hits {
    /// Whether a hit with a proof covers the position, so that looking again would tell the same.
    #[must_use]
    pub fn proven_at(&self, at: usize) -> bool {
        self.hits.iter().rev().take(8).any(|hit| hit.evidence == Evidence::Proven && hit.range.contains(&at))
    }
}
