//! Where the client reads and shows lines: a terminal if there is one, otherwise standard input and
//! output.

use std::{
    io::{self, BufRead, BufReader, IsTerminal, Write},
    path::PathBuf,
};

use rustyline::{
    Config, Context, Editor, ExternalPrinter, Helper, completion::Completer,
    highlight::Highlighter, hint::Hinter, history::FileHistory, validate::Validator,
};

use crate::{
    client::{Desk, Names},
    text::Look,
};

const COMMANDS: [&str; 3] = ["/help", "/name", "/users"];

/// Number of history lines to keep.
const HISTORY: usize = 1000;

/// Line editing, if both ends are a terminal.
pub fn desk(history: Option<PathBuf>) -> Result<Desk, rustyline::error::ReadlineError> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        editor(history)
    } else {
        Ok(lines())
    }
}

fn lines() -> Desk {
    let mut input = BufReader::new(io::stdin()).lines();
    Desk {
        read: Box::new(move |_| input.next()?.ok()),
        // It is not a panic if the reader has gone away.
        show: Box::new(|line| {
            let _ = writeln!(io::stdout(), "{line}");
        }),
        look: Look::of_stdout(),
        has_echo: false,
        names: Names::default(),
    }
}

fn editor(history: Option<PathBuf>) -> Result<Desk, rustyline::error::ReadlineError> {
    let look = Look::of_stdout();
    let names = Names::default();
    let config = Config::builder()
        .max_history_size(HISTORY)?
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Completion, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Completion(names.clone())));
    if let Some(file) = &history {
        // The file does not exist the first time.
        let _ = editor.load_history(file);
    }
    let mut printer = editor.create_external_printer()?;
    let read = move |name: &str| {
        let line = editor.readline(&(format!("{name}> "), look.prompt(name)));
        if let Some(file) = &history {
            let _ = editor.append_history(file);
        }
        // Ctrl-C and Ctrl-D are errors here.
        line.ok()
    };
    Ok(Desk {
        read: Box::new(read),
        show: Box::new(move |line| {
            let _ = printer.print(line + "\n");
        }),
        look,
        has_echo: true,
        names,
    })
}

/// Completes `@names` anywhere, and commands at the beginning.
struct Completion(Names);

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completions(&line[..position], self.0.get()))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Hinter for Completion {
    type Hint = String;
}

/// Where the last word begins, and its completions.
fn completions(line: &str, names: Vec<String>) -> (usize, Vec<String>) {
    let begin = line.rfind(' ').map_or(0, |space| space + 1);
    let word = &line[begin..];
    let candidates: Vec<String> = match word.as_bytes().first() {
        Some(b'@') => names.into_iter().map(|name| format!("@{name}")).collect(),
        Some(b'/') if begin == 0 => COMMANDS.map(String::from).into(),
        _ => vec![],
    };
    let fits = |candidate: &String| candidate.starts_with(word);
    (begin, candidates.into_iter().filter(fits).collect())
}

#[cfg(test)]
mod tests {
    use super::completions;

    fn complete(line: &str) -> (usize, Vec<String>) {
        completions(line, ["ada", "adam", "bob"].map(String::from).into())
    }

    #[test]
    fn names_are_completed_where_they_stand() {
        assert_eq!(complete("hello @b"), (6, vec!["@bob".into()]));
        assert_eq!(complete("@ad"), (0, vec!["@ada".into(), "@adam".into()]));
        assert_eq!(complete("ad"), (0, vec![]));
        assert_eq!(complete("żółć @bo"), (9, vec!["@bob".into()]));
    }

    #[test]
    fn commands_are_completed_at_the_beginning() {
        assert_eq!(complete("/u"), (0, vec!["/users".into()]));
        assert_eq!(complete("not /u"), (4, vec![]));
    }
}
