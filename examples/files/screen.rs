//! Prints lines, and progress bars on a terminal.

use std::{
    env,
    fmt::Display,
    io::{self, Write},
};

use indicatif::{MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};

/// One for the whole program, because lines and bars must not be mixed up. Bars go to standard
/// error, and are hidden if that is not a terminal; lines are the same with and without bars.
#[derive(Clone, Default)]
pub struct Screen {
    bars: MultiProgress,
}

impl Screen {
    /// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`|
    /// head`).
    pub fn say(&self, line: impl Display) {
        self.bars.suspend(|| drop(writeln!(io::stdout(), "{line}")));
    }

    pub fn complain(&self, line: impl Display) {
        self.bars.suspend(|| drop(writeln!(io::stderr(), "{line}")));
    }

    /// A bar for this many bytes. It disappears when all its handles are dropped.
    pub fn bar(&self, what: String, bytes: u64) -> ProgressBar {
        let bar = ProgressBar::new(bytes)
            .with_message(what)
            .with_style(style())
            .with_finish(ProgressFinish::AndClear);
        self.bars.add(bar)
    }
}

fn style() -> ProgressStyle {
    // https://no-color.org
    let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let bar = if is_plain {
        "{bar:30}"
    } else {
        "{bar:30.cyan/blue}"
    };
    let template =
        format!("{bar} {{bytes:>10}} of {{total_bytes:10}} {{bytes_per_sec:>12}}  {{msg}}");
    ProgressStyle::with_template(&template).expect("the template is constant but for the colours")
}

/// Text from a peer or a disk must not control the terminal.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "·")
}
