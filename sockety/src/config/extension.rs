/// Whether connections use the negotiated extension of the protocol, which both sides must offer.
///
/// The connection header of a side that offers it announces 238 channels, in a form that every peer
/// can read. Peers that do not know the extension are unaffected.
///
/// An attacker who can change the bytes of a connection without TLS can remove the offer unnoticed;
/// with [`Require`](Self::Require), the connection fails then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// Connections to peers that offer it use it.
    #[default]
    Auto,
    /// This side does not offer it.
    Off,
    /// It is used, and connections to and from peers without it fail.
    Require,
}
