//! Texts made from documentation comments and from names.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The first paragraph of the documentation, on one line and without its full stop.
pub(crate) fn first_paragraph(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes
        .iter()
        .filter_map(doc)
        .flat_map(|text| lines(&text));
    let paragraph = lines
        .skip_while(String::is_empty)
        .take_while(|line| !line.is_empty());
    let paragraph = paragraph.collect::<Vec<_>>().join(" ");
    let text = match paragraph.strip_suffix('.') {
        Some(text) if !text.ends_with('.') => text,
        _ => &paragraph,
    };
    (!text.is_empty()).then(|| text.to_owned())
}

/// The whole documentation, without the spaces around its lines.
pub(crate) fn text(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter_map(doc)
        .flat_map(|text| lines(&text));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The text of a `#[doc = "…"]`.
fn doc(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The lines of a comment. In a block comment they may begin with a star, which is dropped.
fn lines(text: &str) -> Vec<String> {
    let is_block = text.contains('\n');
    let line = |line: &str| {
        let line = line.trim();
        let star = if is_block {
            line.strip_prefix('*')
        } else {
            None
        };
        star.unwrap_or(line).trim().to_owned()
    };
    if text.is_empty() {
        vec![String::new()]
    } else {
        text.lines().map(line).collect()
    }
}

/// Splits a name into words: `QuotaExceeded` becomes "quota exceeded", `HTTPError` "http error".
pub(crate) fn words(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut words = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let previous = index.checked_sub(1).map(|index| letters[index]);
        let next = letters.get(index + 1);
        let after_word =
            previous.is_some_and(|previous| !previous.is_uppercase() && previous != '_');
        let before_word = previous.is_some_and(char::is_uppercase)
            && next.is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_word || before_word) {
            words.push(' ');
        }
        match letter {
            '_' => words.push(' '),
            letter => words.extend(letter.to_lowercase()),
        }
    }
    words.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn names_become_words() {
        assert_eq!(words("NotFound"), "not found");
        assert_eq!(words("HTTPError"), "http error");
        assert_eq!(words("IO"), "io");
        assert_eq!(words("Over9000Bytes"), "over9000 bytes");
        assert_eq!(words("Snake_Case"), "snake case");
    }

    #[test]
    fn the_first_paragraph_is_one_line_without_full_stop() {
        let variant: syn::Variant = parse_quote! {
            /// The disk
            /// is full.
            ///
            /// Nothing was written.
            Full
        };
        assert_eq!(
            first_paragraph(&variant.attrs).as_deref(),
            Some("The disk is full")
        );
    }

    #[test]
    fn the_stars_of_a_block_comment_are_not_text() {
        let variant: syn::Variant = parse_quote! {
            /**
             * Try again...
             */
            Busy
        };
        assert_eq!(
            first_paragraph(&variant.attrs).as_deref(),
            Some("Try again...")
        );
    }

    #[test]
    fn hidden_is_not_text() {
        let variant: syn::Variant = parse_quote!(
            #[doc(hidden)]
            Gone
        );
        assert_eq!(first_paragraph(&variant.attrs), None);
    }
}
