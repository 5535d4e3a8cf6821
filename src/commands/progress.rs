//! A progress bar, for people who wait: only on a terminal, and only when the work takes longer than a second.

use std::io::{IsTerminal as _, stderr};
use std::sync::Once;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scan::Progress;

/// Work that is done before that is not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar over the bytes of all passes over all inputs.
pub struct Bar {
    bar: ProgressBar,
    since: Instant,
    shown: Once,
    wanted: bool,
}

impl Bar {
    /// A bar that shows itself when it is `wanted`, somebody can see it, and it takes long.
    pub fn new(wanted: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg:9} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
        let bar = if let Ok(style) = style { bar.with_style(style) } else { bar };
        Self { bar, since: Instant::now(), shown: Once::new(), wanted: wanted && stderr().is_terminal() }
    }

    /// Takes the bar away while `speak` writes to standard error.
    pub fn pause(&self, speak: impl FnOnce()) {
        self.bar.suspend(speak);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn pass(&self, name: &'static str, bytes: u64) {
        self.bar.set_message(name);
        self.bar.inc_length(bytes);
    }

    fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
        if self.wanted && self.since.elapsed() > PATIENCE {
            self.shown.call_once(|| self.bar.set_draw_target(ProgressDrawTarget::stderr()));
        }
    }
}
