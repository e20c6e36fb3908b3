//! A progress bar for scans that take long enough to be noticed.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A scan that is shorter than this passes without a bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// A progress bar on stderr that appears when it is needed.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    bar: Option<ProgressBar>,
    is_visible: bool,
}

impl Progress {
    /// Starts the clock. Without a screen, nothing will appear.
    pub(crate) fn start(is_visible: bool) -> Self {
        Self { started: Instant::now(), bar: None, is_visible }
    }

    /// Shows how far it is.
    pub(crate) fn update(&mut self, done: usize, total: usize) {
        if !self.is_visible || (self.bar.is_none() && self.started.elapsed() < PATIENCE) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant, so it is valid always or never.
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} notebooks") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    }

    /// Runs something that prints, with the bar out of the way.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.is_visible = false;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
