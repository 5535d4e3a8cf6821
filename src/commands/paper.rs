//! The receipt of a redaction: where it goes, who signs it, and when it gets its name.
//!
//! It gets its name before the dump does, so that no redacted dump is without one. Where the dump then cannot get its own,
//! the receipt is taken back.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::commands::args::{Fingerprints, RedactArgs, UserRules};
use crate::commands::complain;
use crate::error::{Error, Result};
use crate::finding::Rule;
use crate::redact::draft::Draft;
use crate::redact::receipt::{self, SigningKey, keys, wire::RuleSet};
use crate::vault::FingerprintKey;

/// Where the receipt of a redaction goes, and what it is made with.
pub struct Paper {
    path: PathBuf,
    replace: bool,
    signing: Option<SigningKey>,
    /// What fingerprints are made with.
    pub fingerprints: Option<FingerprintKey>,
    /// When.
    pub time: SystemTime,
}

/// A receipt that has its name.
pub struct Published {
    path: PathBuf,
    /// The one that it took the place of.
    before: Option<File>,
    /// The id of the key that signed it.
    signed_by: Option<String>,
}

impl Paper {
    /// Looks at once whether the receipt can be written, and reads the keys. `output` is where the dump goes, if it is a
    /// file.
    ///
    /// # Errors
    /// When there is no name for it, something is there already, or a key is not to be used.
    pub fn of(args: &RedactArgs, output: Option<&Path>) -> Result<Self> {
        let path = match (&args.receipt, output) {
            (Some(path), _) => path.clone(),
            (None, Some(output)) => beside(output),
            (None, None) => {
                return Err(usage("where the dump goes to standard output, name its receipt with --receipt"));
            }
        };
        if [Some(args.dump.as_path()), output].into_iter().flatten().any(|other| is_same(other, &path)) {
            return Err(usage("the receipt would take the place of the dump; choose another name"));
        }
        if path.symlink_metadata().is_ok() && !args.force {
            let text = "is there already; to replace it, use --force, or name another with --receipt";
            return Err(usage(&format!("{} {text}", path.display())));
        }
        Draft::beside(&path)?;
        let signing = args.sign.as_deref().map(keys::read_signing).transpose()?;
        let (fingerprints, time) = (fingerprint_key(&args.fingerprints)?, now()?);
        Ok(Self { path, replace: args.force, signing, fingerprints, time })
    }

    /// What `write` writes of the receipt, with the key that is to sign it; without a name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn draft(&self, write: impl FnOnce(Option<&SigningKey>, &mut dyn io::Write) -> Result<()>) -> Result<Draft> {
        let draft = Draft::beside(&self.path)?;
        write(self.signing.as_ref(), &mut draft.file())?;
        Ok(draft)
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When it cannot have it.
    pub fn publish(&self, draft: Draft) -> Result<Published> {
        let before = if self.replace { File::open(&self.path).ok() } else { None };
        draft.publish(&self.path, self.replace)?;
        let signed_by = self.signing.as_ref().map(|key| keys::id(&key.verifying_key()));
        Ok(Published { path: self.path.clone(), before, signed_by })
    }
}

impl Published {
    /// The receipt and who signed it, in words.
    pub fn words(&self) -> String {
        let signed = self.signed_by.as_ref().map_or("not signed".to_owned(), |id| format!("signed by key {id}"));
        format!("{}, {signed}", self.path.display())
    }

    /// Takes it back, because there is no dump that it is the receipt of.
    pub fn take_back(self) {
        let done = match &self.before {
            None => std::fs::remove_file(&self.path),
            Some(before) => restore(before, &self.path),
        };
        if let Err(error) = done {
            let path = self.path.display();
            complain("error", format!("{path} is the receipt of a dump that was not written, and stays: {error}"));
        }
    }
}

fn restore(mut before: &File, path: &Path) -> io::Result<()> {
    let copied = Draft::beside(path).map_err(io::Error::other)?;
    let mut file = copied.file();
    io::copy(&mut before, &mut file)?;
    file.flush()?;
    copied.publish(path, true).map_err(io::Error::other)
}

/// The name of the receipt that belongs to a dump.
pub fn beside(dump: &Path) -> PathBuf {
    let mut name = OsString::from(dump);
    name.push(".receipt.json");
    PathBuf::from(name)
}

/// A file's name without its folders: a receipt travels, and folders tell of the machine.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The key that fingerprints are made with, if one was given.
///
/// # Errors
/// When it is not to be used.
pub fn fingerprint_key(args: &Fingerprints) -> Result<Option<FingerprintKey>> {
    args.fingerprint_key.as_deref().map(keys::read_fingerprint).transpose()
}

/// The rules of an engine that the user's files are a part of, by number and digest.
///
/// # Errors
/// When a file cannot be read.
pub fn rule_set(rules: &[Rule], files: &UserRules) -> Result<RuleSet> {
    let text =
        |path: &PathBuf| std::fs::read_to_string(path).map_err(|source| Error::Open { path: path.clone(), source });
    let texts: Vec<String> = files.rules.iter().map(text).collect::<Result<_>>()?;
    Ok(receipt::rule_set(rules, &texts))
}

/// The time, or the one that `SOURCE_DATE_EPOCH` gives so that the same input makes the same receipt and the same report.
///
/// # Errors
/// When that is no time.
pub fn now() -> Result<SystemTime> {
    let Some(given) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(SystemTime::now()) };
    let seconds = given.to_str().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let time = seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(seconds));
    time.ok_or_else(|| usage("SOURCE_DATE_EPOCH is not a number of seconds since 1970"))
}

/// Whether two paths name one place, also where nothing is there yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        path.canonicalize().ok().or_else(|| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        })
    };
    place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}

fn usage(text: &str) -> Error {
    Error::Usage(text.to_owned())
}
