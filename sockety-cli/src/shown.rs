//! Makes text from a peer fit for a terminal. Control characters act on a terminal, and invisible
//! ones that turn the direction of text make it lie.

use std::fmt::Write;

/// A name or an action of a peer: quoted, escaped, and cut if it is long.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 128;
    let (start, cut) = cut(text, LONGEST);
    format!("{start:?}{cut}")
}

/// A sentence that may quote a peer: escaped, and cut if it is long.
pub fn escaped(text: &str) -> String {
    const LONGEST: usize = 1024;
    let (start, cut) = cut(text, LONGEST);
    let mut escaped = String::with_capacity(start.len());
    for shown in start.chars() {
        match is_printable(shown) {
            true => escaped.push(shown),
            false => escaped.extend(shown.escape_debug()),
        }
    }
    escaped + cut
}

/// JSON text with the same meaning, escaped. Characters that need it occur only inside strings,
/// apart from the line breaks of indented JSON, which stay.
pub fn escaped_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for shown in text.chars() {
        if shown == '\n' || is_printable(shown) {
            escaped.push(shown);
            continue;
        }
        for unit in shown.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// The start of a text, at most `longest` bytes, and the mark that says that more follows.
pub fn cut(text: &str, longest: usize) -> (&str, &'static str) {
    let start = &text[..text.floor_char_boundary(longest)];
    (start, if start.len() < text.len() { "…" } else { "" })
}

/// Bytes of a stream on their way to a terminal: escaped, except line breaks and tabs.
pub fn escaped_stream(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for shown in chunk.valid().chars() {
            match matches!(shown, '\n' | '\t') || is_printable(shown) {
                true => escaped.push(shown),
                false => escaped.extend(shown.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(escaped, "\\x{byte:02x}");
        }
    }
    escaped
}

/// Whether a terminal merely displays the character. The rule is that of `{:?}`, except that quotes
/// and backslashes are printable, which `{:?}` escapes only because it adds quotes.
fn is_printable(shown: char) -> bool {
    if matches!(shown, '"' | '\'' | '\\') {
        return true;
    }
    // After a letter: on its own, `{:?}` escapes a combining mark, which many scripts cannot do
    // without.
    let mut text = [b'a'; 1 + char::MAX_LEN_UTF8];
    let length = 1 + shown.encode_utf8(&mut text[1..]).len();
    let text = str::from_utf8(&text[..length]);
    text.is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped() {
        assert_eq!(quoted("a\x1b[2Jb"), r#""a\u{1b}[2Jb""#);
        assert_eq!(escaped("é\u{202e}\x07\r"), "é\\u{202e}\\u{7}\\r");
        assert_eq!(escaped_json("\"\u{9b}é\""), "\"\\u009bé\"");
        assert_eq!(escaped_stream(b"a\tb\n\x1b\xFF"), "a\tb\n\\u{1b}\\xff");
    }

    #[test]
    fn invisible_characters_are_escaped() {
        let invisible = [
            '\u{AD}',
            '\u{61C}',
            '\u{180E}',
            '\u{200B}',
            '\u{2028}',
            '\u{2066}',
            '\u{FEFF}',
            '\u{FFF9}',
            '\u{FFFB}',
            '\u{E0000}',
            '\u{E0041}',
            '\u{E007F}',
        ];
        for shown in invisible {
            let text = shown.to_string();
            assert_eq!(escaped(&text), shown.escape_unicode().to_string());
            assert_eq!(escaped_stream(text.as_bytes()), escaped(&text));
            let json = escaped_json(&format!("\"{text}\""));
            assert!(json.is_ascii(), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn text_of_all_scripts_and_quotes_stay() {
        for text in ["no 'x', \"y\\z\"", "e\u{301}", "नमस्ते", "สวัสดี", "你好", "🦀"]
        {
            assert_eq!(escaped(text), text);
            assert_eq!(escaped_json(text), text);
            assert_eq!(escaped_stream(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), ("a", "…"));
        assert_eq!(quoted(&"x".repeat(200)).len(), 128 + 2 + "…".len());
    }
}
