//! The address of a peer in the text of an error, if it is known.

use std::{fmt, net::SocketAddr, sync::Arc};

/// Displays as ` to ADDRESS`.
pub(super) struct To<'a>(pub(super) &'a Option<Arc<SocketAddr>>);

/// Displays as ` from ADDRESS`.
pub(super) struct Of<'a>(pub(super) &'a Option<Arc<SocketAddr>>);

impl fmt::Display for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .as_ref()
            .map_or(Ok(()), |peer| write!(f, " to {peer}"))
    }
}

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .as_ref()
            .map_or(Ok(()), |peer| write!(f, " from {peer}"))
    }
}
