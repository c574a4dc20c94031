use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::shown::quoted;

/// Progress bars on standard error, one for each file; nothing unless that is a terminal.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    bars: MultiProgress,
}

/// Draws at most this many bars: nobody reads more, and a peer may send many files.
const MOST: usize = 16;

impl Progress {
    /// Adds a bar for a file that is sent or received.
    pub fn file(&self, index: usize, verb: &str, name: &str, size: u64) -> ProgressBar {
        if index >= MOST {
            return ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::hidden());
        }
        let bar = self.bars.add(ProgressBar::new(size));
        let style =
            "{prefix} {msg} [{bar:24}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";
        bar.with_style(style_of(style))
            .with_prefix(verb.to_owned())
            .with_message(quoted(name))
    }
}

fn style_of(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
