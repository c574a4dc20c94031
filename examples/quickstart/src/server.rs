//! The server: the index, as a service.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sockety::{Context, Server};

use crate::{
    index::{Text, Texts},
    say,
    service::{
        Found, Frequency, Index, IndexError, IndexServer, Part, ProgressClient, Query, Size,
    },
};

/// Serves until Ctrl-C.
pub async fn run(address: &str) -> Result<(), Box<dyn Error>> {
    let server = Server::bind(address).await?;
    say(format_args!(
        "listening on {}, Ctrl-C stops",
        server.local_addr()?
    ));
    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.stop();
        }
    });
    // Completes when the server was stopped, after running calls have got their replies.
    server.serve(service()).await?;
    say("stopped");
    Ok(())
}

/// The service, ready to be served. All connections share it.
pub fn service() -> IndexServer<Library> {
    IndexServer::new(Library::default())
}

/// State between calls. Calls run concurrently, so they share it through a lock.
#[derive(Default)]
pub struct Library {
    texts: Mutex<Texts>,
}

impl Library {
    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for Library {
    async fn add(&self, cx: &Context, part: Part) -> Result<Size, IndexError> {
        // A client for what the caller serves to us.
        let caller = cx.peer::<ProgressClient>();
        let mut is_watching = true;
        let mut text = Text::after(part.lines_before);
        for line in part.text.lines() {
            let before = tenths(text.end(), part.lines);
            text.push(line);
            let further = tenths(text.end(), part.lines).saturating_sub(before);
            if further > 0 && is_watching {
                // The text of a caller without `Progress` is indexed too.
                is_watching = caller.indexed(further).await.is_ok();
            }
        }
        self.texts().add(part.name, text)
    }

    async fn frequent(&self, letters: u32, count: u32) -> Vec<Frequency> {
        self.texts().frequent(letters, count)
    }

    async fn search(&self, query: Query) -> Result<Found, IndexError> {
        self.texts().search(&query)
    }

    async fn note(&self, cx: &Context, text: String) {
        let peer = cx.peer_addr().map(|peer| peer.to_string());
        say(format_args!(
            "{} notes: {text:?}",
            peer.as_deref().unwrap_or("a client")
        ));
    }
}

fn tenths(done: u32, of: u32) -> u32 {
    (u64::from(done) * 10 / u64::from(of.max(1))) as u32
}
