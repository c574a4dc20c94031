use super::{File, partial};
use crate::error::file_name::{FileNameError, NameProblem};
use crate::shown::Shown;

fn find_problem(name: &str) -> Option<NameProblem> {
    if name.is_empty() {
        return Some(NameProblem::Empty);
    }
    if name.len() > NameProblem::LONGEST {
        return Some(NameProblem::TooLong { length: name.len() });
    }
    if matches!(name, "." | "..") {
        return Some(NameProblem::Directory);
    }
    if let Some(problem) = name.chars().find_map(problem_of) {
        return Some(problem);
    }
    if name.ends_with(['.', ' ']) {
        return Some(NameProblem::TrailingDotOrSpace);
    }
    if is_device(name) {
        return Some(NameProblem::Device);
    }
    partial::is_partial(name).then_some(NameProblem::Reserved)
}

fn problem_of(character: char) -> Option<NameProblem> {
    match character {
        '/' | '\\' => Some(NameProblem::Separator),
        ':' => Some(NameProblem::Colon),
        _ if character.is_control() => Some(NameProblem::Control(character)),
        _ => None,
    }
}

/// Windows looks at what precedes the first dot, without spaces at its end, and ignores case.
fn is_device(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let stem = stem.trim_end_matches(' ');
    let is_numbered = || {
        let Some((port, number)) = stem.split_at_checked(3) else {
            return false;
        };
        let is_port = ["COM", "LPT"]
            .iter()
            .any(|known| port.eq_ignore_ascii_case(known));
        // Windows reads the superscripts of Latin-1 as digits.
        let mut number = number.chars();
        let is_number = matches!(number.next(), Some('0'..='9' | '¹' | '²' | '³'));
        is_port && is_number && number.next().is_none()
    };
    DEVICES.iter().any(|known| stem.eq_ignore_ascii_case(known)) || is_numbered()
}

impl File {
    /// Its name, if it is one that may be used as the name of a file in any directory, on any operating system.
    ///
    /// It is then one component of a path and no more; it may still begin with a dot. [`File::save_in`] uses it.
    ///
    /// ```
    /// # use sockety::{File, error::NameProblem};
    /// let file = File::from_bytes("notes.txt", "remember the milk");
    /// assert_eq!(file.safe_name()?, "notes.txt");
    ///
    /// let error = file.with_name("../notes.txt").safe_name().unwrap_err();
    /// assert_eq!(error.problem(), NameProblem::Separator);
    /// assert_eq!(error.to_string(), r#"file name "../notes.txt" has a path separator"#);
    /// # Ok::<(), sockety::error::FileNameError>(())
    /// ```
    ///
    /// # Errors
    /// [`FileNameError`], which says what is wrong with it.
    pub fn safe_name(&self) -> Result<&str, FileNameError> {
        match find_problem(&self.name) {
            None => Ok(&self.name),
            Some(problem) => Err(FileNameError {
                name: Shown::new(&self.name),
                problem,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: NameProblem) {
        assert_eq!(find_problem(name), Some(expected), "{name:?}");
    }

    #[test]
    fn ordinary_names_are_safe() {
        for name in [
            "a",
            "notes.txt",
            ".profile",
            "..a",
            "a b",
            " a",
            "…",
            "日本語.txt",
            "ملف",
            "console",
            "CON1",
            "COM",
            "COM10",
            "COMÀ",
            "nul-1.txt",
            "a.nul",
            "-rf",
            "~",
            "$(id)",
            "%2e%2e%2f",
        ] {
            assert_eq!(find_problem(name), None, "{name:?}");
        }
        assert_eq!(find_problem(&"a".repeat(255)), None);
    }

    #[test]
    fn t_x1_names_that_are_paths_are_not_safe() {
        for name in ["../../x", "/etc/cron.d/x", r"a\..\b", "a/../../b", r"\\h\s"] {
            check(name, NameProblem::Separator);
        }
        check("", NameProblem::Empty);
        check(".", NameProblem::Directory);
        check("..", NameProblem::Directory);
        check(r"C:\x", NameProblem::Colon);
        check("C:", NameProblem::Colon);
        check("a\0.txt", NameProblem::Control('\0'));
        check("a\n", NameProblem::Control('\n'));
        check("a\u{1b}[2J", NameProblem::Control('\u{1b}'));
        check("a\u{85}b", NameProblem::Control('\u{85}'));
        check(&"a".repeat(256), NameProblem::TooLong { length: 256 });
        check(&"é".repeat(128), NameProblem::TooLong { length: 256 });
        check(&"/".repeat(65_535), NameProblem::TooLong { length: 65_535 });
    }

    #[test]
    fn t_x4_devices_streams_and_trailing_dots_are_not_safe() {
        for name in [
            "CON",
            "con",
            "Prn",
            "AUX",
            "nul",
            "NUL.txt",
            "nul.tar.gz",
            "NUL .txt",
            "CONIN$",
            "conout$.x",
            "COM1",
            "com0",
            "LPT9.log",
            "COM¹",
            "lpt³.txt",
            "aux.",
        ] {
            let problem = find_problem(name);
            let is_refused = matches!(
                problem,
                Some(NameProblem::Device | NameProblem::TrailingDotOrSpace)
            );
            assert!(is_refused, "{name:?}: {problem:?}");
        }
        check("x:stream", NameProblem::Colon);
        check("x::$DATA", NameProblem::Colon);
        check("x.", NameProblem::TrailingDotOrSpace);
        check("x ", NameProblem::TrailingDotOrSpace);
        check("...", NameProblem::TrailingDotOrSpace);
    }

    #[test]
    fn names_of_partial_files_are_reserved() {
        check(&partial::new_name(), NameProblem::Reserved);
        check(&partial::new_name().to_uppercase(), NameProblem::Reserved);
    }

    #[test]
    fn long_names_are_cut_and_escaped_when_shown() {
        let file = File::from_bytes("\u{1b}\u{202e}/".repeat(1000), "");
        let message = file.safe_name().unwrap_err().to_string();
        assert!(message.starts_with(r#"file name "\u{1b}\u{202e}/\u{1b}"#));
        assert!(message.ends_with(r#""… has 5000 bytes, over the limit of 255"#));
        assert!(message.len() < 600, "{}", message.len());
        assert!(!message.contains(char::is_control));
    }
}
