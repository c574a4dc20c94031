//! The front end: HTTP and JSON on one side, calls on the other.

use std::{io, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::IntoResponse,
    routing::{get, put},
};
use futures_util::{TryStreamExt, stream};
use serde::Deserialize;
use sockety::{ByteStream, File, client::Reconnecting};
use tokio::time::timeout;

use crate::{
    failure::Failure,
    service::{About, ArchiveClient},
};

/// All requests share one connection. It is opened for the first request, and again after it has
/// ended.
type Archive = Reconnecting<ArchiveClient>;

pub fn router(archive: Archive) -> Router {
    Router::new()
        .route("/documents", get(list))
        .route("/documents/{name}", get(download).put(upload))
        .route("/documents/{name}/note", put(annotate))
        .with_state(archive)
}

/// How long a request waits for a connection. While the archive is unavailable, there are pauses
/// between attempts.
const CONNECTING: Duration = Duration::from_secs(2);

async fn connected(archive: &Archive) -> Result<ArchiveClient, Failure> {
    match timeout(CONNECTING, archive.get()).await {
        Ok(client) => Ok(client?),
        Err(_) => Err(Failure::unreachable("no connection to the archive yet")),
    }
}

async fn list(State(archive): State<Archive>) -> Result<Json<Vec<About>>, Failure> {
    Ok(Json(connected(&archive).await?.list().await?))
}

#[derive(Deserialize)]
struct Note {
    note: String,
}

async fn annotate(
    State(archive): State<Archive>,
    Path(name): Path<String>,
    Json(Note { note }): Json<Note>,
) -> Result<Json<About>, Failure> {
    Ok(Json(connected(&archive).await?.annotate(name, note).await?))
}

/// Forwards the body as it arrives. If the archive is slower than the HTTP client, the HTTP client
/// waits.
async fn upload(
    State(archive): State<Archive>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<About>), Failure> {
    let size = content_length(&headers).ok_or_else(length_required)?;
    let body = body.into_data_stream().map_err(io::Error::other);
    // An incomplete body, or one with another size, is an error at the archive, and never becomes a
    // document.
    let document = File::from_reader(name, size, ByteStream::from_stream(body));
    let about = connected(&archive).await?.put(document).await?;
    Ok((StatusCode::CREATED, Json(about)))
}

/// Forwards the document as it arrives. If it is cut short, so is the response, which HTTP clients
/// notice by its length.
async fn download(
    State(archive): State<Archive>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    let document = connected(&archive).await?.get(name).await?;
    let headers = [
        (CONTENT_LENGTH, document.size().to_string()),
        (CONTENT_TYPE, "application/octet-stream".into()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
    ];
    Ok((headers, body_of(document)))
}

fn body_of(document: File) -> Body {
    Body::from_stream(stream::try_unfold(document, async |mut document| {
        let chunk = document.next_chunk().await?;
        Ok::<_, io::Error>(chunk.map(|chunk| (chunk, document)))
    }))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn length_required() -> Failure {
    let message = "the size of a document comes before it, as Content-Length";
    Failure::new(StatusCode::LENGTH_REQUIRED, "LengthRequired", message)
}
