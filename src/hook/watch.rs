//! Waiting for something to happen in a folder. A notice only ends the waiting; what there is says a look at the folder, so a
//! notice that was lost costs a second and no dump.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::error::Result;
use crate::hook::place::Folder;

/// Notices of folders.
#[derive(Debug)]
pub struct Watch {
    notices: OwnedFd,
    path: std::path::PathBuf,
}

impl Watch {
    /// Of one folder.
    ///
    /// # Errors
    /// [`crate::error::Error::Place`].
    pub fn new(folder: &Folder) -> Result<Self> {
        let failed = |errno: Errno| folder.fault(format!("it cannot be watched: {}", io::Error::from(errno)));
        let notices = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let watch = Self { notices, path: folder.path().to_owned() };
        watch.add(folder)?;
        Ok(watch)
    }

    /// Of one more folder.
    ///
    /// # Errors
    /// [`crate::error::Error::Place`].
    pub fn add(&self, folder: &Folder) -> Result<()> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::CREATE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let failed = |errno: Errno| folder.fault(format!("it cannot be watched: {}", io::Error::from(errno)));
        inotify::add_watch(&self.notices, folder.path(), flags).map(drop).map_err(failed)
    }

    /// Waits for a notice, at most for `time`.
    ///
    /// # Errors
    /// [`crate::error::Error::Place`].
    pub fn wait(&self, time: Duration) -> Result<()> {
        let failed = |errno: Errno| {
            let reason = format!("it cannot be watched any more: {}", io::Error::from(errno));
            crate::error::Error::Place { path: self.path.clone(), reason }
        };
        let time = Timespec::try_from(time).map_err(|_| failed(Errno::INVAL))?;
        match poll(&mut [PollFd::new(&self.notices, PollFlags::IN)], Some(&time)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        // What the notices say is not needed.
        let mut buffer = [0_u8; 4096];
        loop {
            match rustix::io::read(&self.notices, &mut buffer[..]) {
                Ok(got) if got > 0 => {}
                Ok(_) | Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }
}
