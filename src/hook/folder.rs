//! `folder`: any directory into which dumps fall. What was decided goes to the release folder, and the dump is removed.
//!
//! **Settling.** Nobody says when a file is complete. It is taken when nothing about it has changed for the settle time; its
//! change time, which nobody can set, says so for a file that was there before, and our own clock for one that we saw come.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use crate::error::Result;
use crate::hook::desk::{Desk, Incoming};
use crate::hook::identity::Identity;
use crate::hook::item::{Goal, Source};
use crate::hook::place::Folder;
use crate::hook::put_back::OURS;
use crate::hook::told;
use crate::hook::verdict::Done;
use crate::hook::watch::Watch;

/// Time after which a dump that failed closed is looked at again.
pub const AGAIN: Duration = Duration::from_secs(60);
/// Between two looks at the folder while files settle, at most.
const LOOK: Duration = Duration::from_secs(1);

/// What to do with a folder.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// Whether to stay and wait for more.
    pub watch: bool,
    /// Time without a change after which a file is complete.
    pub settle: Duration,
    /// Which files, and where they go.
    pub kind: &'a Kind,
}

/// Which files of a folder are taken, and where they go.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Whether a file of this name is taken.
    pub wanted: fn(&OsStr) -> bool,
    /// Whether dumps stay in their place; else they go to the release folder.
    pub in_place: bool,
    /// Whether files may be taken that are no dumps.
    pub any: bool,
}

/// `folder`: everything, and it goes to the release folder.
pub const EVERY: Kind = Kind { wanted: |_| true, in_place: false, any: false };
/// `systemd-coredump`: cores are stored under passing names and then renamed, so one that has its name is complete.
pub const SYSTEMD_COREDUMP: Kind =
    Kind { wanted: |name| name.as_encoded_bytes().starts_with(b"core."), in_place: true, any: false };
/// `wer`: what LocalDumps writes; heap and full dumps have endings of their own in queues of reports.
pub const WER: Kind = Kind { wanted: |name| ends(name, &["dmp", "mdmp", "hdmp"]), in_place: false, any: false };
/// `abrt`: every file of a problem folder, which is full of text beside the core; its lock begins with a point.
pub const ABRT: Kind = Kind { wanted: |name| !name.as_encoded_bytes().starts_with(b"."), in_place: true, any: true };
/// `apport`: reports, of which not every one has a core.
pub const APPORT: Kind = Kind { wanted: |name| ends(name, &["crash"]), in_place: true, any: true };

fn ends(name: &OsStr, endings: &[&str]) -> bool {
    let ending = Path::new(name).extension();
    ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// What one look at a folder came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Files that were left because they are still being written, or are none that can be taken.
    pub left: usize,
}

/// Decides on everything in the folder at `path`, and where `manner` says so on everything that comes.
///
/// # Errors
/// When the folder cannot be read.
pub fn run(
    desk: &Desk,
    path: &Path,
    manner: &Manner<'_>,
    tell: &(dyn Fn(Done) + Sync),
    leave: &dyn Fn(&OsStr, &str),
) -> Result<Sweep> {
    let folder = Folder::open(path)?;
    desk.may_come_from(&folder)?;
    lock(&folder, if manner.watch { Duration::ZERO } else { desk.time() })?;
    desk.resume(&mut desk.worker(), &mut |done| tell(done))?;
    let watch = if manner.watch { Some(Watch::new(&folder)?) } else { None };
    let mut settling = Settling::new(manner.settle);
    loop {
        let (ready, left) = look(desk, &folder, manner, &mut settling)?;
        let any_ready = !ready.is_empty();
        decide_all(desk, &folder, manner, ready, &settling, tell);
        told::is_whole()?;
        desk.ledger.prune(&folder).map_err(|error| folder.fault(error.to_string()))?;
        match &watch {
            None if any_ready => {}
            None if left.iter().any(|(_, reason)| reason.is_none()) && !settling.is_over() => {
                std::thread::sleep(LOOK.min(manner.settle));
            }
            None => {
                for (name, reason) in &left {
                    leave(name, reason.as_deref().unwrap_or("somebody still writes to it"));
                }
                return Ok(Sweep { left: left.len() });
            }
            Some(watch) => {
                for (name, reason) in left.iter().filter_map(|(name, reason)| Some((name, reason.as_ref()?))) {
                    if settling.is_news(name, reason) {
                        leave(name, reason);
                    }
                }
                watch.wait(if any_ready { Duration::ZERO } else { LOOK })?;
            }
        }
        is_there(&folder)?;
    }
}

/// One works on a folder at a time. Who only looks once waits, because what it was called for may have come behind the other's last
/// look; who stays does not, because the other stays too.
fn lock(folder: &Folder, patience: Duration) -> Result<()> {
    let start = Instant::now();
    while !folder.lock().map_err(|error| folder.fault(error.to_string()))? {
        if start.elapsed() >= patience {
            return Err(folder.fault("another process works on it (its lock is held); only one may"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// A folder that vanished is not an empty one.
///
/// # Errors
/// [`crate::error::Error::Place`] where it did.
pub fn is_there(folder: &Folder) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    match folder.meta()?.nlink() {
        0 => Err(folder.fault("it was removed while it was watched")),
        _ => Ok(()),
    }
}

type Left = Vec<(OsString, Option<String>)>;

/// The files that are ready, and those that are not, with the reason why they never will be.
fn look(desk: &Desk, folder: &Folder, manner: &Manner<'_>, settling: &mut Settling) -> Result<(Vec<OsString>, Left)> {
    let (mut ready, mut left) = (Vec::new(), Vec::new());
    let names = folder.names().map_err(|error| folder.fault(error.to_string()))?;
    for name in names.into_iter().filter(|name| is_wanted(name, manner)) {
        match folder.look(&name) {
            Ok(Some(identity)) if manner.kind.in_place && desk.ledger.knows(&identity) => {}
            Ok(Some(identity)) => match settling.look(&name, &identity) {
                State::Settled => ready.push(name),
                State::Settling => left.push((name, None)),
                State::Tried => {}
            },
            Ok(None) if is_folder(folder, &name) => {
                left.push((name, Some("it is a folder; folders are not looked into".to_owned())));
            }
            Ok(None) => left.push((name, Some("it is a link or something else that is no regular file".to_owned()))),
            Err(error) => left.push((name, Some(error.to_string()))),
        }
    }
    Ok((ready, left))
}

fn is_folder(folder: &Folder, name: &OsStr) -> bool {
    folder.inside(name).is_ok()
}

fn is_wanted(name: &OsStr, manner: &Manner<'_>) -> bool {
    let is_ours = name.to_str().is_some_and(|name| name.starts_with(OURS));
    !is_ours && (manner.kind.wanted)(name)
}

/// As many at once as there are slots.
fn decide_all(
    desk: &Desk,
    folder: &Folder,
    manner: &Manner<'_>,
    ready: Vec<OsString>,
    settling: &Settling,
    tell: &(dyn Fn(Done) + Sync),
) {
    let threads = desk.slot_count.min(ready.len());
    let queue = Mutex::new(ready.into_iter());
    let next = || queue.lock().ok()?.next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut worker = desk.worker();
                while let Some(name) = next().filter(|_| told::is_whole().is_ok()) {
                    match decide(desk, &mut worker, folder, &name, manner.kind) {
                        Ok(done) => {
                            if done.fate == crate::hook::verdict::Fate::FailedClosed {
                                settling.tried(&name);
                            }
                            tell(done);
                        }
                        // It went since it was seen: somebody else's decision.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                        Err(error) => {
                            settling.tried(&name);
                            tell(refused(desk, &name, &error));
                        }
                    }
                }
            });
        }
    });
}

/// Decides on one file of a folder.
///
/// # Errors
/// Where it cannot be taken.
pub fn decide(
    desk: &Desk,
    worker: &mut crate::hook::worker::Worker<'_>,
    folder: &Folder,
    name: &OsStr,
    kind: &Kind,
) -> std::io::Result<Done> {
    let taken = folder.take(name)?;
    let goal = if kind.in_place { Goal::InPlace } else { Goal::Release(name.to_owned()) };
    let source = Source { folder: folder.path().to_owned(), name: name.to_owned(), identity: taken.identity };
    let mut bytes = &taken.file;
    Ok(desk.decide(
        worker,
        Incoming {
            name: name.to_string_lossy().into_owned(),
            source: Some(source),
            bytes: &mut bytes,
            file: Some(&taken.file),
            goal,
            any: kind.any,
        },
    ))
}

/// What is told of a file that is none that can be taken.
#[must_use]
pub fn refused(desk: &Desk, name: &OsStr, error: &std::io::Error) -> Done {
    Done {
        kind: desk.kind.to_owned(),
        id: String::new(),
        name: name.to_string_lossy().into_owned(),
        fate: crate::hook::verdict::Fate::FailedClosed,
        reasons: vec![format!("it was not taken: {error}")],
        verdict: None,
        seconds: 0.0,
    }
}

enum State {
    Settled,
    Settling,
    /// It failed closed a moment ago.
    Tried,
}

/// What is known of the files of a folder.
struct Settling {
    time: Duration,
    start: Instant,
    seen: HashMap<OsString, (Identity, Instant)>,
    tried: Mutex<HashMap<OsString, Instant>>,
    told: HashMap<OsString, String>,
}

impl Settling {
    fn new(time: Duration) -> Self {
        let (seen, told) = (HashMap::new(), HashMap::new());
        Self { time, start: Instant::now(), seen, tried: Mutex::default(), told }
    }

    fn look(&mut self, name: &OsStr, identity: &Identity) -> State {
        let known = self.seen.get(name).copied();
        // One that failed closed has its mode narrowed; that alone is no reason to look at it again.
        if known.is_none_or(|(known, _)| !known.is_same_content(identity))
            && let Ok(mut tried) = self.tried.lock()
        {
            tried.remove(name);
        }
        let since = match known {
            Some((known, since)) if known == *identity => since,
            _ => {
                let now = Instant::now();
                self.seen.insert(name.to_owned(), (*identity, now));
                now
            }
        };
        let is_tried = |tried: &HashMap<OsString, Instant>| tried.get(name).is_some_and(|at| at.elapsed() < AGAIN);
        if self.tried.lock().is_ok_and(|tried| is_tried(&tried)) {
            return State::Tried;
        }
        match since.elapsed() >= self.time || age(identity).is_some_and(|age| age >= self.time) {
            true => State::Settled,
            false => State::Settling,
        }
    }

    fn tried(&self, name: &OsStr) {
        if let Ok(mut tried) = self.tried.lock() {
            tried.insert(name.to_owned(), Instant::now());
        }
    }

    /// Whether a look that does not watch has waited long enough for files that are being written.
    fn is_over(&self) -> bool {
        self.start.elapsed() > self.time * 3 + LOOK
    }

    fn is_news(&mut self, name: &OsStr, reason: &str) -> bool {
        self.told.insert(name.to_owned(), reason.to_owned()).is_none_or(|old| old != reason)
    }
}

/// Time since the last change of any kind; none where the clock says that it is yet to come.
fn age(identity: &Identity) -> Option<Duration> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let changed = Duration::new(identity.ctime.0.try_into().ok()?, identity.ctime.1.try_into().ok()?);
    now.checked_sub(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_settles_when_nothing_changes() {
        let mut settling = Settling::new(Duration::from_millis(80));
        let new = |size| Identity { dev: 1, ino: 2, size, mtime: (i64::MAX, 0), ctime: (i64::MAX, 0) };
        let mut settled = |size| matches!(settling.look(OsStr::new("a"), &new(size)), State::Settled);
        assert!(!settled(1));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!settled(2), "it grew");
        std::thread::sleep(Duration::from_millis(100));
        assert!(settled(2));
    }

    #[test]
    fn a_file_that_was_there_long_is_settled() {
        let mut settling = Settling::new(Duration::from_secs(5));
        let old = Identity { dev: 1, ino: 2, size: 3, mtime: (0, 0), ctime: (1_000_000, 0) };
        assert!(matches!(settling.look(OsStr::new("a"), &old), State::Settled));
    }
}
