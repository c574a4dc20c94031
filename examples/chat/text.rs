//! Formats lines.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

const TIME: Style = AnsiColor::BrightBlack.on_default().bold();
const SYSTEM: Style = AnsiColor::Cyan.on_default().italic();
const COMPLAINT: Style = AnsiColor::Red.on_default();
const OTHER: Style = Style::new().bold();
const OWN: Style = AnsiColor::Green.on_default().bold();
const PROMPT: Style = AnsiColor::BrightBlack.on_default();

/// With colours or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Plain,
    Coloured,
}

impl Look {
    /// The style for standard output: plain if it is not a terminal, or if `NO_COLOR` is set.
    pub fn of_stdout() -> Self {
        match anstream::AutoStream::choice(&std::io::stdout()) {
            anstream::ColorChoice::Never => Self::Plain,
            _ => Self::Coloured,
        }
    }

    pub fn chat(
        self,
        date: &str,
        author: &str,
        content: &str,
        own: &str,
        names: &[String],
    ) -> String {
        let author_style = if author == own { OWN } else { OTHER };
        let author = self.paint(author_style, format_args!("{}:", printable(author)));
        let content = self.mentions(&printable(content), own, names);
        format!("{} {author} {content}", self.time(date))
    }

    pub fn system(self, date: &str, content: &str) -> String {
        let content = self.paint(SYSTEM, printable(content));
        format!("{} {content}", self.time(date))
    }

    pub fn complaint(self, text: &str) -> String {
        self.paint(COMPLAINT, printable(text))
    }

    pub fn prompt(self, name: &str) -> String {
        format!("{}> ", self.paint(PROMPT, printable(name)))
    }

    fn time(self, date: &str) -> String {
        self.paint(TIME, time_of(date))
    }

    /// Highlights `@name`, if a user has that name.
    fn mentions(self, content: &str, own: &str, names: &[String]) -> String {
        let words = content.split_inclusive(' ');
        let paint = |word: &str| match word.trim_end().strip_prefix('@') {
            Some(name) if name == own => self.paint(OWN, word),
            Some(name) if names.iter().any(|known| known == name) => self.paint(OTHER, word),
            _ => word.to_owned(),
        };
        words.map(paint).collect()
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Coloured => format!("{style}{text}{style:#}"),
        }
    }
}

/// The time of day in a date like `2026-01-31T12:34:56.789Z`.
fn time_of(date: &str) -> &str {
    let is_time = |time: &&str| {
        time.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':')
    };
    date.get(11..19).filter(is_time).unwrap_or("--:--:--")
}

/// Text from others must not control the terminal, nor change the direction of the text around it.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' => shown.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(letter.escape_unicode());
            }
            letter if letter.is_control() => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_send_is_no_command_of_the_terminal() {
        assert_eq!(
            printable("\u{1b}[2J\u{9b}31mred\u{7}\r\n"),
            r"\u{1b}[2J\u{9b}31mred\u{7}\r\n"
        );
        assert_eq!(
            printable("abc\u{202e}def\u{2066}"),
            r"abc\u{202e}def\u{2066}"
        );
        assert_eq!(
            printable("żółć \t 👩‍👧 \\ \"quoted\""),
            "żółć   👩‍👧 \\ \"quoted\""
        );
    }

    #[test]
    fn plain_lines_have_no_colours() {
        let names = ["ada".to_owned()];
        let line = Look::Plain.chat("2026-01-31T12:34:56.789Z", "ada", "hi @ada", "bob", &names);
        assert_eq!(line, "12:34:56 ada: hi @ada");
    }

    #[test]
    fn mentions_of_who_is_there_stand_out() {
        let names = ["ada".to_owned(), "bob".to_owned()];
        let line = Look::Coloured.mentions("@ada @eve @bob", "bob", &names);
        let (ada, bob) = (
            format!("{OTHER}@ada {OTHER:#}"),
            format!("{OWN}@bob{OWN:#}"),
        );
        assert_eq!(line, format!("{ada}@eve {bob}"));
    }

    #[test]
    fn a_date_that_is_none_is_not_shown() {
        assert_eq!(time_of("2026-01-31T12:34:56.789Z"), "12:34:56");
        for date in ["", "yesterday", "2026-01-31T\u{1b}[2J0000", "ααααααααααααα"] {
            assert_eq!(time_of(date), "--:--:--", "{date:?}");
        }
    }
}
