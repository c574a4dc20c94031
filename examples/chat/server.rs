//! The server: lets clients in, and answers them.

use std::{io, sync::Arc, time::Duration};

use sockety::{
    Connection, FastReply, Server,
    error::{ConnectProblem, RequestMismatch},
    serve::{BoxError, Message, MessageHandler},
    server::ServerHandle,
};
use tokio::task::JoinSet;

use crate::{
    room::{Refused, Room},
    say,
    service::ChatRequest,
};

/// A peer that connects and sends nothing occupies one of these for 10 s, and delays no other.
const ACCEPTING: usize = 64;

/// Serves until Ctrl-C.
pub async fn run(address: &str) -> Result<(), BoxError> {
    let server = Server::bind(address).await?;
    say(format_args!(
        "listening on {}, Ctrl-C stops",
        server.local_addr()?
    ));
    tokio::spawn(stop_at_ctrl_c(server.handle()));
    serve(server).await;
    say("stopped");
    Ok(())
}

async fn stop_at_ctrl_c(server: ServerHandle) -> io::Result<()> {
    tokio::signal::ctrl_c().await?;
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// Serves until the server is stopped and all users have left.
///
/// Each connection is handled as soon as it is accepted, because its client is told its name first.
pub async fn serve(server: Server) {
    let room = Arc::new(Room::new(server.handle()));
    let server = Arc::new(server);
    let accepting = (0..ACCEPTING).map(|_| accept(Arc::clone(&server), Arc::clone(&room)));
    accepting.collect::<JoinSet<()>>().join_all().await;
}

async fn accept(server: Arc<Server>, room: Arc<Room>) {
    let mut guests = JoinSet::new();
    loop {
        match server.accept(handler(&room)).await {
            Ok(connection) => guests.spawn(attend(Arc::clone(&room), connection)),
            Err(error) if matches!(error.problem(), ConnectProblem::ServerStopped) => break,
            // A peer that does not speak Sockety.
            Err(_) => continue,
        };
        while guests.try_join_next().is_some() {}
    }
    guests.join_all().await;
}

/// Holds the connection as long as the peer keeps it open.
async fn attend(room: Arc<Room>, connection: Connection) {
    room.enter(&connection);
    connection.closed().await;
    room.leave(&connection);
}

fn handler(room: &Arc<Room>) -> MessageHandler {
    let room = Arc::clone(room);
    MessageHandler::new().fallback(move |message| {
        let room = Arc::clone(&room);
        async move { answer(&room, &message) }
    })
}

fn answer(room: &Room, message: &Message) -> FastReply {
    // A message may arrive before `enter` was called.
    room.enter(message.connection());
    let request = match ChatRequest::try_from(message) {
        Ok(request) => request,
        Err(RequestMismatch::Action(_)) => return FastReply::NOT_IMPLEMENTED,
        Err(_) => return FastReply::BAD_REQUEST,
    };
    if !message.take_files().is_empty() || message.take_stream().is_some() {
        return FastReply::BAD_REQUEST;
    }
    let done = match request {
        ChatRequest::Name { name } => room.rename(message.connection(), name),
        ChatRequest::Broadcast { content } => room.say(message.connection(), content),
    };
    match done {
        Ok(()) => FastReply::ACCEPT,
        Err(Refused) => FastReply::BAD_REQUEST,
    }
}
