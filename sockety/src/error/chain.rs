use std::{error::Error, fmt};

/// Returns what displays an error and all its causes, on one line: `connection ended: no data
/// received from peer for 90s`.
///
/// No error of this crate repeats its cause in its text, so a log needs the whole chain. Errors of
/// other crates may: a cause whose text was just written is left out.
///
/// ```
/// use std::io;
/// use sockety::error::{ConnectionError, chain};
///
/// let error = ConnectionError::from(io::Error::other("cable cut"));
/// assert_eq!(error.to_string(), "connection failed");
/// assert_eq!(chain(&error).to_string(), "connection failed: cable cut");
/// ```
pub fn chain<'a>(error: &'a (dyn Error + 'a)) -> Chain<'a> {
    Chain(error)
}

/// An error and all its causes; made by [`chain`].
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(&'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        f.write_str(&text)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            let next = cause.to_string();
            if !text.ends_with(&next) {
                write!(f, ": {next}")?;
                text = next;
            }
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Self>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn shown(texts: &[&'static str]) -> String {
        let links = texts.iter().rev();
        let link = links.fold(None, |cause, text| Some(Box::new(Link(text, cause))));
        chain(&*link.expect("a text")).to_string()
    }

    #[test]
    fn causes_follow_unless_their_text_was_just_written() {
        assert_eq!(shown(&["a"]), "a");
        assert_eq!(shown(&["a", "b", "c"]), "a: b: c");
        assert_eq!(shown(&["a: b", "b", "c"]), "a: b: c");
        assert_eq!(shown(&["a", "b", "b"]), "a: b");
        assert_eq!(shown(&["a b", "a"]), "a b: a");
    }
}
