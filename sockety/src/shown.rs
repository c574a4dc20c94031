//! Text that a peer chose, made fit for messages and logs.

use std::{fmt, net::SocketAddr};

use tracing::field::{DisplayValue, display};

/// Text of a peer: quoted, escaped, and cut when it is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(Box<str>);

/// How much is shown, in bytes: enough to recognise it, too little to flood a log.
const LONGEST: usize = 128;

impl Shown {
    pub(crate) fn new(text: &str) -> Self {
        let shown = prefix(text, LONGEST);
        let cut = if shown.len() < text.len() { "…" } else { "" };
        Self(format!("{shown:?}{cut}").into())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As many whole characters from the beginning as fit into this number of bytes.
pub(crate) fn prefix(text: &str, longest: usize) -> &str {
    let mut ends = (0..=longest.min(text.len())).rev();
    let end = ends.find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// The address of a peer or of this side, as a field of an event. Unix sockets and links in memory
/// have none, and then the field is absent.
pub(crate) fn address(address: Option<SocketAddr>) -> Option<DisplayValue<SocketAddr>> {
    address.map(display)
}
