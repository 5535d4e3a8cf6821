//! `dumpscrub quarantine`: what did not pass, and what a person does with it.

use std::ffi::OsString;
use std::path::Path;

use crate::commands::args::{Common, QuarantineAction};
use crate::commands::output::to_stdout;
use crate::commands::{exit, hook_log};
use crate::error::{Error, Result};
use crate::hook::item::now;
use crate::hook::place::Folder;
use crate::hook::quarantine::{Kept, Quarantine, Quota};
use crate::hook::told;
use crate::inert::Inert;
use crate::policy::Policy;
use crate::report::units::Bytes;

/// Does it, and says with which code to exit.
///
/// # Errors
/// When the policy is wrong, there is no such dump, or it cannot be moved.
pub fn run(action: &QuarantineAction) -> Result<u8> {
    match action {
        QuarantineAction::List { common, json } => {
            let (_, quarantine) = open(common)?;
            list(&quarantine.list()?, *json)?;
        }
        QuarantineAction::Release { common, ids, to } => {
            let (policy, quarantine) = open(common)?;
            hook_log::start(common, None)?;
            let folder = Folder::guarded(to.as_ref().unwrap_or(&policy.folders.release))?;
            for id in ids {
                let name = free_name(&quarantine.find(id)?, &folder)?;
                let kept = quarantine.release(id, &folder, &name)?;
                told::log_quarantine("released unredacted", id, &kept.reason.name);
            }
        }
        QuarantineAction::Purge { common, ids, older_than, all } => {
            let (_, quarantine) = open(common)?;
            hook_log::start(common, None)?;
            for id in chosen(&quarantine, ids, *older_than, *all)? {
                let kept = quarantine.purge(&id)?;
                told::log_quarantine("purged", &id, &kept.reason.name);
            }
        }
    }
    Ok(exit::CLEAN)
}

fn open(common: &Common) -> Result<(Policy, Quarantine)> {
    let policy = Policy::read(&common.policy)?;
    let quota = Quota { bytes: policy.folders.quarantine_quota, count: usize::MAX };
    let quarantine = Quarantine::open(&policy.folders.quarantine, quota)?;
    Ok((policy, quarantine))
}

fn list(kept: &[Kept], json: bool) -> Result<()> {
    to_stdout(|out| {
        if json {
            serde_json::to_writer_pretty(&mut *out, kept)?;
            return writeln!(out);
        }
        for kept in kept {
            let (reason, size) = (&kept.reason, Bytes(kept.len));
            let (name, why) = (Inert(&reason.name).to_string(), reason.verdict.reasons.join("; "));
            writeln!(out, "{}  {}  {name}, {size}: {}", reason.id, reason.kind, Inert(&why))?;
        }
        if kept.is_empty() {
            writeln!(out, "quarantine is empty")?;
        }
        Ok(())
    })
}

/// The name that the dump came with, and its number where that is taken.
fn free_name(kept: &Kept, folder: &Folder) -> Result<OsString> {
    let name = Path::new(&kept.reason.name).file_name().map_or_else(|| OsString::from("dump"), OsString::from);
    let taken = folder.names().map_err(|error| folder.fault(error.to_string()))?.contains(&name);
    Ok(if taken { format!("{}.{}", kept.reason.id, name.display()).into() } else { name })
}

fn chosen(quarantine: &Quarantine, ids: &[String], older_than: Option<u64>, all: bool) -> Result<Vec<String>> {
    if older_than.is_none() && !all {
        return Ok(ids.to_vec());
    }
    let age = older_than.unwrap_or(0).checked_mul(24 * 60 * 60);
    let age = age.ok_or_else(|| Error::Usage("--older-than: there are not so many days".to_owned()))?;
    let is_old = |kept: &Kept| all || now().saturating_sub(kept.reason.time) > age;
    Ok(quarantine.list()?.into_iter().filter(is_old).map(|kept| kept.reason.id).collect())
}
