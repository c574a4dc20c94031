//! Every error with a cause has it in `source()`, and not in its text.

use std::{error::Error, io, sync::Arc, time::Duration};

use sockety_codec::{RefusalReason, Truncated, UsageError, Violation};

use super::*;
use crate::{
    msgpack::{self, DecodeError, EncodeError},
    outcome::Outcome,
};

#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("no such account")]
struct NoAccount;

impl ServiceError for NoAccount {
    const VARIANTS: &'static [crate::description::error_variant::ErrorVariant] = &[];

    fn variant(&self) -> &'static crate::description::error_variant::ErrorVariant {
        unreachable!("not sent")
    }

    fn from_code(_: u16) -> Option<Self> {
        None
    }
}

struct Unencodable;

impl serde::Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no value"))
    }
}

fn io() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cable cut")
}

fn decode() -> DecodeError {
    msgpack::from_slice::<u8>(&[]).expect_err("no value")
}

fn encode() -> EncodeError {
    msgpack::to_vec(&Unencodable).expect_err("no value")
}

fn remote() -> RemoteError {
    RemoteError::named(&[], "NoAccount".into(), "no account".into())
}

fn limit() -> LimitExceeded {
    LimitExceeded::UselessPackets {
        burst: 128,
        per_second: 10,
    }
}

fn errors() -> Vec<Box<dyn Error>> {
    let (outcome, name) = (Outcome::Unknown, Arc::from("a.txt"));
    let address = || {
        "localhost:9000"
            .parse::<crate::address::Address>()
            .expect("an address")
    };
    let violation = Violation::NotSockety { byte: 0 };
    vec![
        Box::new(CallError::Service(NoAccount)),
        Box::new(CallError::<NoError>::Remote {
            action: "get",
            error: remote(),
        }),
        Box::new(CallError::<NoError>::Content {
            action: "get",
            error: ContentError::MissingStream,
        }),
        Box::new(CallError::<NoError>::Request {
            action: "get",
            error: RequestError::Source(SourceError::GivenUp),
        }),
        Box::new(PassError {
            action: "get",
            error: RequestError::Source(SourceError::Disconnected {
                peer: None,
                error: limit().into(),
            }),
        }),
        Box::new(StreamError::Service(NoAccount)),
        Box::new(StreamError::<NoError>::Remote(remote())),
        Box::new(StreamError::<NoError>::Decode(decode())),
        Box::new(StreamError::<NoError>::Read(io())),
        Box::new(ContentError::Decode(decode())),
        Box::new(RequestMismatch::Payload(decode())),
        Box::new(ConnectError::from(ConnectProblem::Unreachable(io()))),
        Box::new(ConnectError::new(
            ConnectProblem::Unreachable(io()),
            address(),
            None,
        )),
        Box::new(ConnectError::new(
            ConnectProblem::Tls(io()),
            address(),
            Some(([127, 0, 0, 1], 9000).into()),
        )),
        Box::new(ConnectProblem::Tls(io())),
        Box::new(ConnectProblem::ClosedDuringTls(io())),
        Box::new(ConnectProblem::NotTls {
            hint: "hint",
            source: io(),
        }),
        Box::new(ConnectProblem::Io(io())),
        Box::new(ConnectProblem::Handshake(violation)),
        Box::new(ConnectionError::Protocol(violation)),
        Box::new(ConnectionError::Truncated(Truncated::ConnectionHeader)),
        Box::new(ConnectionError::Limit(limit())),
        Box::new(ConnectionError::Io(Arc::new(io()))),
        Box::new(ReadError::NotAccepted(RefusalReason::BadAction)),
        Box::new(ReadError::Spill(Arc::new(io()))),
        Box::new(ReadError::Disconnected {
            peer: None,
            error: limit().into(),
        }),
        Box::new(io::Error::from(ReadError::Disconnected {
            peer: None,
            error: limit().into(),
        })),
        Box::new(RequestError::Send(SendError::Disconnected {
            peer: None,
            error: limit().into(),
        })),
        Box::new(RequestError::Disconnected {
            peer: None,
            error: limit().into(),
            outcome,
        }),
        Box::new(RequestError::Source(SourceError::GivenUp)),
        Box::new(RequestError::ResponseLost(ReadError::Aborted)),
        Box::new(SendError::Encode(Arc::new(encode()))),
        Box::new(SendError::Usage(UsageError::EmptyPacket)),
        Box::new(SendError::Disconnected {
            peer: None,
            error: limit().into(),
        }),
        Box::new(SourceError::Read {
            name,
            error: Arc::new(io()),
        }),
        Box::new(SourceError::Encode(Arc::new(encode()))),
        Box::new(SourceError::Disconnected {
            peer: None,
            error: limit().into(),
        }),
        Box::new(SaveError::io("write", "a.txt".as_ref(), io())),
        Box::new(SaveError::Read {
            path: "a.txt".into(),
            source: io(),
        }),
    ]
}

#[test]
fn a_cause_is_in_source_and_not_in_the_text() {
    for error in errors() {
        check(&*error);
    }
}

#[cfg(feature = "_tls")]
#[test]
fn a_cause_of_tls_is_in_source_and_not_in_the_text() {
    use super::tls::{TlsError, TlsProblem};
    use tokio_rustls::rustls::{Error, pki_types::pem};

    let problems = [
        TlsProblem::Unreadable(Arc::new(io())),
        TlsProblem::InvalidPem(Arc::new(pem::Error::NoItemsFound)),
        TlsProblem::InvalidCertificate(Error::DecryptError),
        TlsProblem::InvalidKey(Error::DecryptError),
        TlsProblem::UnsupportedKey {
            algorithm: "DSA",
            source: Error::DecryptError,
        },
        TlsProblem::NoSystemRoots(Error::DecryptError),
    ];
    for problem in problems {
        let error = TlsError::new("server.pem", problem.clone());
        check(&problem);
        check(&error);
        check(&ConnectProblem::TlsConfig(error));
    }
}

#[track_caller]
fn check(error: &dyn Error) {
    let cause = error.source().unwrap_or_else(|| panic!("{error:?}"));
    let (text, cause) = (error.to_string(), cause.to_string());
    assert!(!text.contains(&cause), "{text:?} includes {cause:?}");
    assert_eq!(
        chain(error).to_string().matches(&cause).count(),
        1,
        "{text}"
    );
}

/// As `main` prints it.
#[test]
fn debug_displays_the_causes_too() {
    let ours = errors()
        .into_iter()
        .filter(|error| !error.is::<io::Error>());
    for error in ours {
        assert_eq!(format!("{error:?}"), chain(&*error).to_string());
    }
}

#[test]
fn a_chain_says_everything_once() {
    let idle = ConnectionError::Idle(Duration::from_secs(90));
    let error = CallError::<NoError>::Request {
        action: "media.get",
        error: RequestError::Disconnected {
            peer: None,
            error: idle,
            outcome: Outcome::Unknown,
        },
    };
    assert_eq!(
        chain(&error).to_string(),
        "media.get: connection ended before a reply arrived: no data received from peer for 90s"
    );
    let error = CallError::Service(NoAccount);
    assert_eq!(
        chain(&error).to_string(),
        "method returned an error: no such account"
    );
}
