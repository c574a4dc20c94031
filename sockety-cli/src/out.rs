//! Standard output and standard error. Lines are whole, also when several tasks print; colours are left out where they
//! are not wanted (`NO_COLOR`, a pipe, `--color`).

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use anstyle::{AnsiColor, Style};

use crate::exit::Failure;

/// Names: of commands, actions, services.
pub const NAME: Style = AnsiColor::Cyan.on_default();
/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What went wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What asks for attention.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub const FAINT: Style = Style::new().dimmed();

/// A text in a style, where styles are wanted.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a line, or several, at once. No colour but those of [`styled`] may be in it.
pub fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::output(&error))
}

/// Prints bytes as they are.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::output(&error))
}

/// Whether somebody looks at the output.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Says something beside the output. Who does not listen misses it.
pub fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Says why the program ends.
pub fn complain(text: &str) {
    note(format_args!("{}: {text}", styled(BAD, "sockety")));
}

/// Says something that the user should know.
pub fn warn(text: impl Display) {
    note(format_args!("{}: {text}", styled(WARN, "warning")));
}
