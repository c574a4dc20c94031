/// Escapes a sentence that may quote a peer. Characters that act on a terminal are escaped, quotes
/// are not, and the text is cut after about 512 bytes.
#[must_use]
pub fn escaped(text: &str) -> String {
    const LONGEST: usize = 512;
    let mut escaped = String::new();
    for char in text.chars() {
        match char {
            // The sentence itself quotes with these.
            '"' | '\'' | '\\' => escaped.push(char),
            _ => escaped.extend(char.escape_debug()),
        }
        if escaped.len() > LONGEST {
            escaped.push('…');
            break;
        }
    }
    escaped
}
