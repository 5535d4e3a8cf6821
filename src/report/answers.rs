//! Was this very key in any of these dumps? One answer for each thing that the user knows.
//!
//! An answer does not depend on what is listed or counted: a place of too little evidence for the list is a place all the same.

use std::fmt::Write as _;

use crate::finding::PublicIdentity;
use crate::known::{Kind, Thing};
use crate::report::units::{Count, count};
use crate::report::{DumpReport, Held, Inert, ReportFinding, Short};
use crate::vault::Identity;

/// What is to be said of one thing that was known before.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The file that names it.
    pub file: String,
    /// The line on which it does, from 1; none in a file that is no text.
    pub line: Option<usize>,
    /// What kind of thing.
    pub kind: Kind,
    /// What may be told of it.
    pub public: PublicIdentity,
    /// Whether its secret was looked for wherever it may stand, or only where a structure holds it.
    pub hunted: bool,
    /// Number of the finding that it is, where that is listed.
    pub finding: Option<usize>,
    /// How many sites it has.
    pub sites: u64,
    /// The dumps that hold it.
    pub held: Vec<Held>,
    /// Dumps that were looked through.
    pub searched: usize,
    /// Dumps of which something, or everything, was not.
    pub incomplete: usize,
    identity: Identity,
}

impl Answer {
    /// Nothing is known yet of where it is.
    #[must_use]
    pub fn open(thing: &Thing) -> Self {
        let Thing { file, line, kind, public, identity, .. } = thing;
        Self {
            file: file.clone(),
            line: *line,
            kind: *kind,
            public: public.clone(),
            hunted: thing.is_hunted(),
            finding: None,
            sites: 0,
            held: Vec::new(),
            searched: 0,
            incomplete: 0,
            identity: *identity,
        }
    }

    /// Whether its secret stands in a dump.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.sites > 0
    }

    /// What makes it the same thing in a dump.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Takes in where it was found.
    pub(super) fn found(&mut self, finding: &ReportFinding) {
        (self.sites, self.held) = (finding.sites, finding.held.clone());
    }

    /// Takes in what was looked through.
    pub(super) fn searched(&mut self, dumps: &[DumpReport]) {
        self.searched = dumps.iter().filter(|dump| dump.error.is_none()).count();
        self.incomplete = dumps.iter().filter(|dump| !dump.gaps().is_empty()).count();
    }

    /// What it is and where it is named, e.g. `keys.pem line 3: private key, RSA-2048`.
    #[must_use]
    pub fn thing(&self) -> String {
        let mut words = Inert(&self.file).to_string();
        if let Some(line) = self.line {
            let _ = write!(words, " line {line}");
        }
        let _ = write!(words, ": {}", kind(self.kind));
        if !self.public.kind.is_empty() {
            let _ = write!(words, ", {}", Short(&self.public.kind));
        }
        for certificate in &self.public.certificates {
            let (subject, serial) = (Short(&certificate.subject), Short(&certificate.serial));
            let _ = write!(words, ", {subject}, serial number {serial}");
        }
        let names = self.public.ssh_fingerprint.iter().filter(|_| self.kind != Kind::Certificate);
        names.chain(&self.public.context).for_each(|name| {
            let _ = write!(words, ", {}", Short(name));
        });
        words
    }

    /// The answer in words.
    #[must_use]
    pub fn words(&self) -> String {
        let what = if self.kind == Kind::Certificate || self.kind == Kind::PublicKey { "its private key " } else { "" };
        let mut words = match (self.is_found(), self.finding) {
            (false, _) => format!("{what}not found in {}", count(self.searched, "dump")),
            (true, finding) => {
                let number = finding.map_or_else(String::new, |number| format!(" as finding {number}"));
                let (sites, dumps) = (Count(self.sites, "site"), count(self.held.len(), "dump"));
                format!("{what}FOUND{number}: {sites} in {dumps}")
            }
        };
        if !self.is_found() && self.incomplete > 0 {
            let _ = write!(words, "; but not everything of {} was scanned", count(self.incomplete, "input"));
        }
        if !self.is_found() && !self.hunted {
            words.push_str("; such keys are found only where a structure holds them (PEM, DER and the like)");
        }
        words
    }
}

/// The kind in words.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Certificate => "certificate",
        Kind::PublicKey => "public key",
        Kind::PrivateKey => "private key",
        Kind::Text => "secret",
    }
}
