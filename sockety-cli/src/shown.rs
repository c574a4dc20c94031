//! What a peer sent, made fit for a terminal. Control characters act on a terminal, and invisible ones that turn the
//! direction of text make it lie.

/// A name or an action of a peer: quoted, escaped, and cut when it is long.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 128;
    let (start, cut) = cut(text, LONGEST);
    format!("{start:?}{cut}")
}

/// A sentence that may quote a peer, without quotes of its own.
pub fn escaped(text: &str) -> String {
    const LONGEST: usize = 1024;
    let (start, cut) = cut(text, LONGEST);
    let mut escaped = String::with_capacity(start.len());
    for shown in start.chars() {
        match acts(shown) {
            true => escaped.extend(shown.escape_unicode()),
            false => escaped.push(shown),
        }
    }
    escaped + cut
}

/// JSON text that acts on nothing: such characters stand only inside of strings, where an escape means the same.
pub fn escaped_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for shown in text.chars() {
        match acts(shown) && shown != '\n' {
            true => escaped += &format!("\\u{:04x}", u32::from(shown)),
            false => escaped.push(shown),
        }
    }
    escaped
}

/// The start of a text, as long as there is room, and what says that it goes on.
pub fn cut(text: &str, longest: usize) -> (&str, &'static str) {
    let start = &text[..text.floor_char_boundary(longest)];
    (start, if start.len() < text.len() { "…" } else { "" })
}

/// Bytes of a stream that go to a terminal: lines and tabs stay, whatever else acts becomes `\x1b` and the like.
pub fn escaped_stream(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for shown in chunk.valid().chars() {
            match acts(shown) && !matches!(shown, '\n' | '\t') {
                true => escaped.extend(shown.escape_default()),
                false => escaped.push(shown),
            }
        }
        for byte in chunk.invalid() {
            escaped += &format!("\\x{byte:02x}");
        }
    }
    escaped
}

/// Whether a character does something else than to be seen. All of these have at most 16 bits.
fn acts(shown: char) -> bool {
    shown.is_control()
        || matches!(
            shown,
            '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped() {
        assert_eq!(quoted("a\x1b[2Jb"), r#""a\u{1b}[2Jb""#);
        assert_eq!(escaped("é\u{202e}\x07"), "é\\u{202e}\\u{7}");
        assert_eq!(escaped_json("\"\u{9b}é\""), "\"\\u009bé\"");
        assert_eq!(escaped_stream(b"a\tb\n\x1b\xFF"), "a\tb\n\\u{1b}\\xff");
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), ("a", "…"));
        assert_eq!(quoted(&"x".repeat(200)).len(), 128 + 2 + "…".len());
    }
}
