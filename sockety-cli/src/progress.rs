use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::shown::quoted;

/// Bars on standard error, one for each file or stream; nothing where that is no terminal.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    bars: MultiProgress,
}

/// More bars than this are not drawn: nobody reads them, and a peer may send many files.
const MOST: usize = 16;

impl Progress {
    /// A bar for a file of the peer or of our own.
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
