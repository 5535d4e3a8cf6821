//! What is told of a decision: one line in the log, and numbers for a monitoring system. Neither holds a secret, and names are
//! made inert.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hook::item::now;
use crate::hook::place::{self, Folder};
use crate::hook::quarantine::Usage;
use crate::hook::verdict::{Done, Fate};
use crate::inert::Inert;

const COUNTERS: &str = "counters.json";

/// Opens a log to append to, so that several hooks can share it; only its owner reads it.
///
/// # Errors
/// [`Error::Write`].
pub fn open(path: &Path) -> Result<File> {
    let opened = File::options().append(true).create(true).mode(0o600).open(path);
    opened.map_err(|source| Error::Write { what: format!("the log {}", path.display()), source })
}

/// What could not be written to the log, if anything could not.
static LOST: OnceLock<String> = OnceLock::new();

/// A log that never fails: what cannot be written is remembered, and asked for where the work can stop.
#[derive(Debug)]
pub struct Steady<W>(pub W);

impl<W: Write> Write for Steady<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.0.write_all(text) {
            LOST.get_or_init(|| error.to_string());
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // What a file or a pipe could not take was seen when it was written.
        Ok(())
    }
}

/// Whether every line went to the log. A hook whose decisions nobody is told of takes no more dumps.
///
/// # Errors
/// [`Error::Write`], if one did not.
pub fn is_whole() -> Result<()> {
    let failed =
        |reason: &String| Error::Write { what: "the log".to_owned(), source: io::Error::other(reason.clone()) };
    LOST.get().map_or(Ok(()), |reason| Err(failed(reason)))
}

/// Writes the line of a decision to the log.
pub fn log(done: &Done) {
    let (name, reason) = (Inert(&done.name).to_string(), Inert(&done.reasons.join("; ")).to_string());
    let verdict = done.verdict.as_ref();
    let found = verdict.map(|verdict| {
        let rules = verdict.found.iter().map(|(rule, count)| format!("{rule}={count}"));
        rules.collect::<Vec<_>>().join(",")
    });
    let (found, format) = (found.unwrap_or_default(), verdict.map_or("", |verdict| verdict.format.as_str()));
    let (bytes, edited) = verdict.map_or((0, 0), |verdict| (verdict.bytes, verdict.edited));
    let (hook, id, outcome) = (done.kind.as_str(), done.id.as_str(), done.fate.name());
    let seconds = (done.seconds * 1000.0).round() / 1000.0;
    match done.fate {
        Fate::Passed | Fate::Redacted => {
            tracing::info!(hook, id, name, outcome, reason, found, format, bytes, edited, seconds, "decided");
        }
        Fate::Quarantined => {
            tracing::warn!(hook, id, name, outcome, reason, found, format, bytes, edited, seconds, "decided");
        }
        Fate::FailedClosed => {
            tracing::error!(hook, id, name, outcome, reason, found, format, bytes, edited, seconds, "decided");
        }
    }
}

/// Writes to the log what somebody did with a dump in quarantine.
pub fn log_quarantine(action: &str, id: &str, name: &str) {
    let name = Inert(name).to_string();
    tracing::warn!(action, id, name, "quarantine");
}

/// Writes to the log that a file was not taken.
pub fn log_left(hook: &str, name: &str, reason: &str) {
    let (name, reason) = (Inert(name).to_string(), Inert(reason).to_string());
    tracing::warn!(hook, name, outcome = "left", reason, "left where it is");
}

/// Sums since the state folder was made. A hook that is run once for each dump keeps them here.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counters {
    /// Dumps by hook and fate.
    dumps: BTreeMap<String, BTreeMap<String, u64>>,
    /// Bytes of dumps that were looked at, by hook.
    bytes: BTreeMap<String, u64>,
    /// Milliseconds from coming to decision, by hook.
    millis: BTreeMap<String, u64>,
    /// Findings by rule.
    findings: BTreeMap<String, u64>,
    /// When the last decision was, in seconds since 1970.
    last: u64,
}

/// Counts a decision, and writes the metrics where they are wanted.
///
/// # Errors
/// [`Error::Write`]; the decision itself stands.
pub fn count(state: &Folder, done: &Done, kept: Usage, metrics: Option<&Path>) -> Result<()> {
    let failed = |source: io::Error| Error::Write { what: "the counters".to_owned(), source };
    let lock = state.keep("counters.lock").map_err(failed)?;
    place::lock_in_turn(&lock).map_err(failed)?;
    let file = state.read(OsStr::new(COUNTERS)).map_err(failed)?;
    // Counters that cannot be read begin again at zero, as counters may.
    let counters: Option<Counters> = file.and_then(|file| serde_json::from_reader(io::BufReader::new(file)).ok());
    let mut counters = counters.unwrap_or_default();
    counters.add(done);
    let text = serde_json::to_vec(&counters).map_err(|error| failed(error.into()))?;
    state.write(OsStr::new(COUNTERS), &text).map_err(failed)?;
    metrics.map_or(Ok(()), |path| write(path, &counters.text(kept)))
}

/// Writes the metrics, so that a reader sees the old ones or the new ones.
fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |source: io::Error| Error::Write { what: path.display().to_string(), source };
    let path = std::path::absolute(path).map_err(failed)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::Usage(format!("{} is no name of a file for metrics", path.display())));
    };
    Folder::open(folder)?.write_as(name, text.as_bytes(), 0o644).map_err(failed)
}

type Labels = Vec<(&'static str, String)>;

impl Counters {
    fn add(&mut self, done: &Done) {
        let (hook, fate) = (done.kind.clone(), done.fate.name().to_owned());
        *self.dumps.entry(hook.clone()).or_default().entry(fate).or_default() += 1;
        let millis = std::time::Duration::try_from_secs_f64(done.seconds).unwrap_or_default().as_millis();
        *self.millis.entry(hook.clone()).or_default() += u64::try_from(millis).unwrap_or(0);
        if let Some(verdict) = &done.verdict {
            *self.bytes.entry(hook).or_default() += verdict.bytes;
            for (rule, count) in &verdict.found {
                *self.findings.entry(rule.clone()).or_default() += *count as u64;
            }
        }
        self.last = now();
    }

    /// In the text format of Prometheus (OpenMetrics).
    fn text(&self, kept: Usage) -> String {
        let mut registry = Registry::with_prefix("dumpscrub");
        let dumps = Family::<Labels, Counter>::default();
        for (hook, fates) in &self.dumps {
            for fate in Fate::ALL {
                let count = fates.get(fate.name()).copied().unwrap_or(0);
                dumps.get_or_create(&vec![("hook", hook.clone()), ("outcome", fate.name().to_owned())]).inc_by(count);
            }
        }
        registry.register("hook_dumps", "Dumps that were decided on, by hook and outcome", dumps);
        let of_hooks = |sums: &BTreeMap<String, u64>, label: &'static str| {
            let family = Family::<Labels, Counter>::default();
            sums.iter().for_each(|(name, sum)| {
                family.get_or_create(&vec![(label, name.clone())]).inc_by(*sum);
            });
            family
        };
        registry.register("hook_bytes", "Bytes of dumps that were looked at", of_hooks(&self.bytes, "hook"));
        let millis = of_hooks(&self.millis, "hook");
        registry.register("hook_milliseconds", "Milliseconds from the coming of dumps to their decisions", millis);
        registry.register("hook_findings", "Findings by rule", of_hooks(&self.findings, "rule"));
        let gauge = |value: u64| {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        registry.register(
            "hook_last_decision_seconds",
            "Time of the last decision, in seconds since 1970",
            gauge(self.last),
        );
        registry.register("quarantine_dumps", "Dumps in quarantine", gauge(kept.count as u64));
        registry.register("quarantine_bytes", "Bytes on disk in quarantine", gauge(kept.bytes));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_summed_over_processes() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().canonicalize().unwrap();
        let state = Folder::private(&path.join("state")).unwrap();
        let done = Done {
            kind: "folder".into(),
            id: "1-1-0".into(),
            name: "a.dmp".into(),
            fate: Fate::Quarantined,
            reasons: vec!["because".into()],
            verdict: None,
            seconds: 0.25,
        };
        let metrics = path.join("metrics.prom");
        count(&state, &done, Usage { bytes: 4096, count: 1 }, Some(&metrics)).unwrap();
        count(&state, &done, Usage { bytes: 8192, count: 2 }, Some(&metrics)).unwrap();
        let text = std::fs::read_to_string(&metrics).unwrap();
        assert!(text.contains("dumpscrub_hook_dumps_total{hook=\"folder\",outcome=\"quarantined\"} 2"), "{text}");
        assert!(text.contains("dumpscrub_quarantine_bytes 8192"), "{text}");
        assert!(text.contains("dumpscrub_hook_milliseconds_total{hook=\"folder\"} 500"), "{text}");
    }
}
