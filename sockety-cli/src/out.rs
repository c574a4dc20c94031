//! Standard output and standard error. Lines of concurrent tasks are never mixed. Colours are
//! removed where they are not wanted (`NO_COLOR`, a pipe, `--color`).

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use anstyle::{AnsiColor, Style};
use clap::{ArgMatches, Args, ValueEnum};
use serde_json::Value as Json;

use crate::{exit::Failure, shown::escaped_json};

/// Arguments for the form of the output.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Print text for people, or JSON for programs: one object on each line
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

impl OutputArgs {
    /// Whether the output is JSON.
    pub fn is_json(self) -> bool {
        self.output == Output::Json
    }
}

/// Whether the arguments of the program ask for JSON, of whichever command.
pub fn is_json(matches: &ArgMatches) -> bool {
    let Some((_, arguments)) = matches.subcommand() else {
        return false;
    };
    let forms = arguments.try_get_raw("output").ok().flatten();
    forms.is_some_and(|mut forms| forms.any(|form| form == "json"))
}

/// Names of commands, actions and services.
pub const NAME: Style = AnsiColor::Cyan.on_default();
/// Success.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Failure.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something that needs attention.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Less important text.
pub const FAINT: Style = Style::new().dimmed();

/// Puts a text into a style, which printing removes where styles are not wanted.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints one or more lines at once. Escape sequences other than those of [`styled`] must be
/// escaped before.
pub fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::output(&error))
}

/// Prints a JSON value on one line.
pub fn object(json: &Json) -> Result<(), Failure> {
    line(escaped_json(&json.to_string()))
}

/// Prints bytes unchanged.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::output(&error))
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints a line on standard error. Failures to do so are ignored.
pub fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints why the program ends.
pub fn complain(text: &str) {
    note(format_args!("{}: {text}", styled(BAD, "sockety")));
}

/// Prints a warning.
pub fn warn(text: impl Display) {
    note(format_args!("{}: {text}", styled(WARN, "warning")));
}
