//! The server.

use std::{
    io,
    path::{Path, PathBuf},
};

use sockety::{ByteStream, Server, Streaming, error::chain, serve::BoxError};

use crate::{
    pipe, say,
    service::{Bench, BenchServer, Line, PipeError, Program, Statistics, TailError},
    statistics,
    tail::Log,
};

/// Serves until Ctrl-C.
pub async fn run(address: &str, folder: &Path) -> Result<(), BoxError> {
    let service = service(folder)?;
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
    server.serve(service).await?;
    say("stopped");
    Ok(())
}

/// The service, ready to be served. Files in the folder and below it can be followed.
pub fn service(folder: &Path) -> io::Result<BenchServer<Workbench>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let folder = folder.canonicalize().map_err(named)?;
    Ok(BenchServer::new(Workbench { folder }))
}

pub struct Workbench {
    folder: PathBuf,
}

impl Bench for Workbench {
    async fn tail(
        &self,
        path: String,
        listening: Streaming<()>,
    ) -> Result<Streaming<Line, TailError>, TailError> {
        let log = Log::open(&self.folder, &path).await?;
        Ok(log.follow_while(listening))
    }

    async fn statistics(&self, numbers: Streaming<f64>) -> Streaming<Statistics> {
        statistics::of(numbers)
    }

    async fn pipe(&self, program: Program, input: ByteStream) -> Result<ByteStream, PipeError> {
        pipe::through(program, input)
            .await
            .map_err(|error| PipeError::NotStarted {
                reason: chain(&error).to_string(),
            })
    }
}
