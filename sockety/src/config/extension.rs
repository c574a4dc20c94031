/// Whether connections use the negotiated extension of the protocol, which both sides must have.
///
/// The connection header of a side that offers it announces 238 channels, in a form that every peer
/// can read. Peers that do not know the extension are unaffected.
///
/// Whoever can change the bytes of a connection without TLS can take the offer away unseen;
/// [`Require`](Self::Require) ends the connection then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// It is used with peers that have it.
    #[default]
    Auto,
    /// It is not used.
    Off,
    /// It is used, and peers without it are not connected to, nor accepted.
    Require,
}
