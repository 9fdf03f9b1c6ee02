//! What moves on a terminal while the command works, and who else speaks there meanwhile.
//!
//! Enters: what is being done, and how far it is. Leaves: one line on standard error that is drawn over and
//! over, and gone at the end; nothing where that is no terminal. Whoever asks a question asks it through
//! [`Screen::aside`]: a line that is drawn again would erase the question.

use std::io::IsTerminal;
use std::time::Duration;

use farad::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(120);

/// The line; copies draw the same one.
#[derive(Debug, Clone)]
pub(crate) struct Screen(ProgressBar);

impl Default for Screen {
    /// One on which nothing is drawn yet.
    fn default() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()))
    }
}

impl Screen {
    /// Shows that something takes a while, and how far it is where that is told.
    pub(crate) fn working<T>(
        &self,
        what: &'static str,
        work: impl FnOnce(&(dyn Fn(Progress) + Sync)) -> T,
    ) -> T {
        if !std::io::stderr().is_terminal() {
            return work(&|_| ());
        }
        let Self(line) = self;
        line.set_style(ProgressStyle::default_spinner());
        line.set_message(what);
        line.set_draw_target(ProgressDrawTarget::stderr());
        line.enable_steady_tick(TICK);
        let done = work(&|progress| {
            let percent = progress.bytes * 100 / progress.total.max(1);
            line.set_message(format!("making patches: {percent} %"));
        });
        line.finish_and_clear();
        done
    }

    /// Shows how much of a download is there.
    pub(crate) fn downloaded(&self, progress: Progress) {
        let Self(line) = self;
        if line.is_hidden() && std::io::stderr().is_terminal() {
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}") {
                line.set_style(style);
            }
            line.set_draw_target(ProgressDrawTarget::stderr());
        }
        line.set_length(progress.total);
        line.set_position(progress.bytes);
    }

    /// Does what reads from the terminal or writes to it; nothing is drawn until it is done.
    pub(crate) fn aside<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.0.suspend(ask)
    }
}
