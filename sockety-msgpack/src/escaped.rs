/// A sentence that may quote a peer: what acts on a terminal is escaped, and it is cut when it is
/// long.
#[must_use]
pub fn escaped(text: &str) -> String {
    const LONGEST: usize = 512;
    let mut escaped = String::new();
    for shown in text.chars() {
        match shown {
            // Quotes of the sentence itself.
            '"' | '\'' | '\\' => escaped.push(shown),
            _ => escaped.extend(shown.escape_debug()),
        }
        if escaped.len() > LONGEST {
            escaped.push('…');
            break;
        }
    }
    escaped
}
