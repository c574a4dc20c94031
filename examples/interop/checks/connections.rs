//! Several connections, and how they end.

use futures_util::future::try_join_all;
use sockety::{
    Connection, FastReply,
    error::{ClosedBy, ConnectionError},
    message::Draft,
};

use super::{Checks, Outcome, Peer, equal, expect_alive, streams::converse};

pub(super) fn add(checks: &mut Checks) {
    checks.add_with_peer("30 connections at once", |peer| async move {
        let connections = try_join_all((0..30).map(|_| peer.connect())).await?;
        let conversations = connections.iter().map(|each| converse(each, 20));
        try_join_all(conversations).await?;
        try_join_all(connections.iter().map(expect_alive)).await?;
        Ok(())
    });
    checks.add_with_peer("100 connections one after another", |peer| async move {
        for _ in 0..100 {
            let connection = peer.connect().await?;
            expect_alive(&connection).await?;
            connection.close().await;
        }
        Ok(())
    });
    checks.add("close ends the connection", |connection| async move {
        // A server may also close immediately, without a reply.
        let mut request = connection.send(&Draft::new("close")).await?;
        if let Ok(reply) = request.response().await {
            equal("code", &reply.code(), &Some(FastReply::ACCEPT))?;
        }
        expect_closed(&connection).await
    });
    checks.add(
        "one-way close ends the connection",
        |connection| async move {
            connection.pass(&Draft::new("close")).await?;
            expect_closed(&connection).await
        },
    );
    checks.add_with_peer("close leaves other connections alone", others_go_on);
}

async fn others_go_on(peer: Peer) -> Outcome {
    let (ends, goes_on) = tokio::try_join!(peer.connect(), peer.connect())?;
    ends.pass(&Draft::new("close")).await?;
    expect_closed(&ends).await?;
    expect_alive(&goes_on).await?;
    expect_alive(&peer.connect().await?).await
}

/// Expects that the server closes the connection, and not inside a message.
async fn expect_closed(connection: &Connection) -> Outcome {
    match connection.closed().await {
        ConnectionError::Closed(ClosedBy::Peer | ClosedBy::PeerWithoutGoAway) => Ok(()),
        error => Err(error.into()),
    }
}
