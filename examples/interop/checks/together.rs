//! Payload, files and stream in one message, and many concurrent messages.

use futures_util::future::try_join_all;
use sockety::{
    ByteStream, Connection,
    message::{Draft, Outgoing},
};

use super::{Checks, Outcome, equal, expect_alive, expect_code, response, streams::converse};
use crate::{
    content, digest,
    service::{Everything, FileDigest},
};

/// Sizes of the parts of a message.
#[derive(Clone, Copy)]
struct Parts {
    data: usize,
    files: &'static [usize],
    stream: usize,
}

const SMALL: Parts = Parts {
    data: 10,
    files: &[0, 1, 300],
    stream: 10,
};

const LARGE: Parts = Parts {
    data: 1 << 20,
    files: &[5 << 20, 0, 70_000, 1 << 20],
    stream: 3 << 20,
};

const NONE: Parts = Parts {
    data: 0,
    files: &[],
    stream: 0,
};

pub(super) fn add(checks: &mut Checks) {
    let kinds = [("small", SMALL), ("large", LARGE), ("empty", NONE)];
    for (what, parts) in kinds {
        checks.add(
            format!("everything with {what} parts"),
            move |connection| async move { everything(&connection, parts).await },
        );
    }
    checks.add("everything without any part", |connection| async move {
        let message = &Draft::new("everything");
        let found: Everything = response(&connection, message).await?.msgpack()?;
        equal("digests", &found, &NONE.digests())
    });
    for (what, parts) in kinds {
        let what = format!("unknown action with {what} payload, files and stream");
        checks.add(what, move |connection| async move {
            expect_code(&connection, parts.message("unknown"), 2).await?;
            // Sent after all parts of the other message, and perhaps on its channel.
            everything(&connection, SMALL).await?;
            expect_alive(&connection).await
        });
    }
    checks.add(
        "ping with large payload, files and stream",
        |connection| async move {
            expect_code(&connection, LARGE.message("ping"), 0).await?;
            expect_alive(&connection).await
        },
    );
    checks.add("1,000 pings at once", |connection| async move {
        let pings = (0..1000).map(|_| expect_alive(&connection));
        try_join_all(pings).await.map(drop)
    });
    checks.add(
        "20 stream-echoes at once, with pings between",
        |connection| async move {
            let echoes = try_join_all((0..20).map(|_| converse(&connection, 50)));
            let pings = async {
                for _ in 0..200 {
                    expect_alive(&connection).await?;
                }
                Ok(())
            };
            tokio::try_join!(echoes, pings).map(drop)
        },
    );
    checks.add(
        "20 messages with everything at once",
        |connection| async move {
            let all = (0..20).map(|_| everything(&connection, SMALL));
            try_join_all(all).await.map(drop)
        },
    );
    checks.add(
        "a large message does not hold up pings",
        |connection| async move {
            let pings = async {
                for _ in 0..50 {
                    expect_alive(&connection).await?;
                }
                Ok(())
            };
            tokio::try_join!(everything(&connection, LARGE), pings).map(drop)
        },
    );
}

async fn everything(connection: &Connection, parts: Parts) -> Outcome {
    let message = parts.message("everything");
    let found: Everything = response(connection, message).await?.msgpack()?;
    equal("digests", &found, &parts.digests())
}

impl Parts {
    fn message(self, action: &str) -> Outgoing {
        let files = self.files.iter().enumerate();
        let files = files.map(|(i, size)| content::file(format!("{i}"), *size as u64));
        let stream = std::io::Cursor::new(content::bytes(self.stream));
        Draft::new(action)
            .data()
            .create(content::bytes(self.data))
            .with_files(files)
            .with_stream_from(ByteStream::from_reader(stream))
    }

    /// What the server should answer.
    fn digests(self) -> Everything {
        let of_size = |size| digest::of_bytes(&content::bytes(size));
        let of_file = |(i, size): (usize, &usize)| FileDigest {
            name: format!("{i}"),
            size: *size as u64,
            sha256: of_size(*size).sha256,
        };
        Everything {
            data: of_size(self.data),
            files: self.files.iter().enumerate().map(of_file).collect(),
            stream: of_size(self.stream),
        }
    }
}
