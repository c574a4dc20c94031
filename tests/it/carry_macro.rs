//! Files and streams as parameters and results of typed methods.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sockety::{
    ByteStream, CallError, Connection, Context, FastReply, File, Router, ServiceError, Streaming,
    error::StreamError, message::Draft, pair, service,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Clip {
    id: u64,
    title: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
enum MediaError {
    #[code(16)]
    NotFound,
    #[code(17)]
    TooMany { count: u64, limit: u64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
enum LogError {
    #[code(32)]
    Rotated { at: u64 },
}

#[service]
trait Media {
    async fn upload(
        &self,
        cx: &Context,
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> Result<Clip, MediaError>;
    async fn store(
        &self,
        lines: Streaming<String>,
        id: u64,
        video: File,
        title: String,
        rest: Vec<File>,
    );
    async fn count(&self, files: Vec<File>) -> u64;
    async fn sum(&self, numbers: Streaming<u64, LogError>) -> Result<u64, LogError>;
    async fn search(&self, ids: Streaming<u64>) -> Result<Streaming<Clip>, MediaError>;
    async fn download(&self, id: u64) -> Result<(Clip, File), MediaError>;
    async fn cover(&self, id: u64, size: u64) -> File;
    async fn covers(&self) -> Result<Vec<File>, MediaError>;
    async fn shell(&self, input: ByteStream) -> ByteStream;
    async fn logs(&self, from: u64) -> Streaming<String, LogError>;
    async fn export(&self) -> (File, Streaming<u64>, Vec<Clip>, Vec<File>);
    async fn pack(&self, file: File) -> ((u64, String), ByteStream);
    async fn alone(&self) -> (File,);
    #[action(one_way)]
    async fn ingest(&self, source: String, lines: Streaming<String>, attachments: Vec<File>);
}

struct Store {
    seen: mpsc::UnboundedSender<String>,
}

impl Store {
    fn note(&self, seen: String) {
        self.seen.send(seen).expect("the test listens");
    }
}

impl Media for Store {
    async fn upload(
        &self,
        cx: &Context,
        title: String,
        video: File,
        subtitles: Vec<File>,
    ) -> Result<Clip, MediaError> {
        assert_eq!(cx.action(), "upload");
        let count = subtitles.len() as u64;
        if count > 2 {
            return Err(MediaError::TooMany { count, limit: 2 });
        }
        let mut texts = vec![title, text(video).await];
        for subtitle in subtitles {
            texts.push(text(subtitle).await);
        }
        let title = texts.join(", ");
        Ok(Clip { id: count, title })
    }

    async fn store(
        &self,
        lines: Streaming<String>,
        id: u64,
        video: File,
        title: String,
        rest: Vec<File>,
    ) {
        let video = text(video).await;
        let mut all = vec![format!("{id} {title}"), video];
        for file in rest {
            all.push(text(file).await);
        }
        all.extend(items(lines).await);
        self.note(all.join(", "));
    }

    async fn count(&self, files: Vec<File>) -> u64 {
        files.len() as u64
    }

    async fn sum(&self, mut numbers: Streaming<u64, LogError>) -> Result<u64, LogError> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            match number {
                Ok(number) => sum += number,
                Err(StreamError::Service(error)) => return Err(error),
                Err(error) => panic!("{error}"),
            }
        }
        Ok(sum)
    }

    async fn search(&self, ids: Streaming<u64>) -> Result<Streaming<Clip>, MediaError> {
        let ids = items(ids).await;
        if ids.is_empty() {
            return Err(MediaError::NotFound);
        }
        Ok(Streaming::from_iter(ids.into_iter().map(clip)))
    }

    async fn download(&self, id: u64) -> Result<(Clip, File), MediaError> {
        match id {
            7 => Ok((clip(7), file("seven", "7777777"))),
            _ => Err(MediaError::NotFound),
        }
    }

    async fn cover(&self, id: u64, size: u64) -> File {
        file(&format!("{id}.png"), &"x".repeat(size as usize))
    }

    async fn covers(&self) -> Result<Vec<File>, MediaError> {
        Ok(vec![file("a", "1"), file("b", ""), file("c", "3")])
    }

    async fn shell(&self, input: ByteStream) -> ByteStream {
        input
    }

    async fn logs(&self, from: u64) -> Streaming<String, LogError> {
        let (sender, lines) = Streaming::channel(2);
        let line = Ok(format!("line {from}"));
        sender.send(line).await.expect("room for two");
        if from == 3 {
            let error = LogError::Rotated { at: from };
            sender.send(Err(error)).await.expect("room for two");
        }
        sender.finish();
        lines
    }

    async fn export(&self) -> (File, Streaming<u64>, Vec<Clip>, Vec<File>) {
        let rest = vec![file("b", "2"), file("c", "3")];
        (
            file("a", "1"),
            Streaming::from_iter(1..=3),
            vec![clip(4)],
            rest,
        )
    }

    async fn pack(&self, file: File) -> ((u64, String), ByteStream) {
        let head = (file.size(), file.name().to_owned());
        (head, ByteStream::from_reader(file))
    }

    async fn alone(&self) -> (File,) {
        (file("only", "one"),)
    }

    async fn ingest(&self, source: String, lines: Streaming<String>, attachments: Vec<File>) {
        let (count, lines) = (attachments.len(), items(lines).await.join(", "));
        self.note(format!("{source} {count} {lines}"));
    }
}

fn clip(id: u64) -> Clip {
    let title = format!("Clip {id}");
    Clip { id, title }
}

fn file(name: &str, text: &str) -> File {
    File::from_bytes(name, text.to_owned().into_bytes())
}

/// Name and content of a small file.
async fn text(file: File) -> String {
    let (name, size) = (file.name().to_owned(), file.size());
    let bytes = file.bytes(1000).await.expect("at most 1000 bytes");
    assert_eq!(bytes.len() as u64, size);
    format!("{name}: {}", String::from_utf8_lossy(&bytes))
}

async fn items<T: DeserializeOwned>(mut stream: Streaming<T>) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item.expect("an item"));
    }
    items
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

async fn client() -> (MediaClient, mpsc::UnboundedReceiver<String>, Connection) {
    let (seen, notes) = mpsc::unbounded_channel();
    let (near, far) = pair(Router::new(), MediaServer::new(Store { seen }))
        .await
        .expect("two ends in memory");
    (MediaClient::new(near), notes, far)
}

#[tokio::test]
async fn files_arrive_in_the_order_of_their_parameters() {
    let (client, _notes, _server) = client().await;
    let subtitles = vec![file("de", "Hallo"), file("en", "Hello")];
    let clip = client.upload("Title".into(), file("video", "moving"), subtitles);
    let clip = clip.await.expect("a reply");
    let title = "Title, video: moving, de: Hallo, en: Hello";
    assert_eq!((clip.id, &*clip.title), (2, title));

    let clip = client.upload("Title".into(), file("video", ""), vec![]);
    assert_eq!(clip.await.expect("a reply").title, "Title, video: ");
}

#[tokio::test]
async fn errors_answer_calls_that_brought_files() {
    let (client, _notes, _server) = client().await;
    let subtitles = ["a", "b", "c"].map(|name| file(name, "text")).into();
    let refused = client.upload("Title".into(), file("video", "moving"), subtitles);
    let error = refused.await.expect_err("too many").into_service();
    assert_eq!(error, Some(MediaError::TooMany { count: 3, limit: 2 }));
}

#[tokio::test]
async fn all_parts_of_a_call_are_told_apart() {
    let (client, mut notes, _server) = client().await;
    let lines = Streaming::from_iter(strings(&["x", "y"]));
    let rest = vec![file("a", "1"), file("b", "2")];
    let stored = client.store(lines, 7, file("video", "v"), "Title".into(), rest);
    stored.await.expect("accepted");
    let note = notes.recv().await.expect("a note");
    assert_eq!(note, "7 Title, video: v, a: 1, b: 2, x, y");
}

#[tokio::test]
async fn files_need_no_payload_and_may_be_none() {
    let (client, _notes, _server) = client().await;
    let files = vec![file("a", "1"), file("b", "2")];
    assert_eq!(client.count(files).await.expect("a reply"), 2);
    assert_eq!(client.count(vec![]).await.expect("a reply"), 0);
}

#[tokio::test]
async fn a_stream_of_parameters_may_end_with_an_error() {
    let (client, _notes, _server) = client().await;
    let sum = client.sum(Streaming::from_iter(1..=4)).await;
    assert_eq!(sum.expect("a reply"), 10);

    let (sender, numbers) = Streaming::channel(2);
    sender.send(Ok(1)).await.expect("room for two");
    let error = LogError::Rotated { at: 2 };
    sender.send(Err(error)).await.expect("room for two");
    let error = client.sum(numbers).await.expect_err("an error");
    assert_eq!(error.into_service(), Some(LogError::Rotated { at: 2 }));
}

#[tokio::test]
async fn a_stream_answers_a_stream() {
    let (client, _notes, _server) = client().await;
    let found = client.search(Streaming::from_iter([7, 8])).await;
    let found = items(found.expect("a stream")).await;
    assert_eq!(found, [clip(7), clip(8)]);

    let none = client.search(Streaming::from_iter([])).await;
    let error = none.expect_err("an error").into_service();
    assert_eq!(error, Some(MediaError::NotFound));
}

#[tokio::test]
async fn a_payload_and_a_file_come_back() {
    let (client, _notes, _server) = client().await;
    let (found, content) = client.download(7).await.expect("a clip");
    assert_eq!(found, clip(7));
    assert_eq!(text(content).await, "seven: 7777777");

    let error = client.download(8).await.expect_err("an error");
    assert_eq!(error.into_service(), Some(MediaError::NotFound));
}

#[tokio::test]
async fn files_come_back_without_a_payload() {
    let (client, _notes, _server) = client().await;
    let cover = client.cover(7, 3).await.expect("a file");
    assert_eq!(text(cover).await, "7.png: xxx");
    let (only,) = client.alone().await.expect("a file");
    assert_eq!(text(only).await, "only: one");

    let mut covers = Vec::new();
    for cover in client.covers().await.expect("files") {
        covers.push(text(cover).await);
    }
    assert_eq!(covers, ["a: 1", "b: ", "c: 3"]);
}

#[tokio::test]
async fn a_shell_answers_while_it_is_typed() {
    let (client, _notes, _server) = client().await;
    let (mut keys, input) = tokio::io::duplex(64);
    let output = client.shell(ByteStream::from_reader(input)).await;
    let mut output = output.expect("a stream");
    let mut heard = [0; 2];
    for typed in [b"ls", b"cd"] {
        keys.write_all(typed).await.expect("room to type");
        output.read_exact(&mut heard).await.expect("an echo");
        assert_eq!(&heard, typed);
    }
    drop(keys);
    assert_eq!(output.read(&mut heard).await.expect("the end"), 0);
}

#[tokio::test]
async fn a_returned_stream_may_end_with_an_error() {
    let (client, _notes, _server) = client().await;
    let mut lines = client.logs(3).await.expect("a stream");
    let first = lines.next().await.expect("an item");
    assert_eq!(first.expect("a line"), "line 3");
    let end = lines.next().await.expect("an error");
    assert!(matches!(
        end,
        Err(StreamError::Service(LogError::Rotated { at: 3 }))
    ));
    assert!(lines.next().await.is_none());

    let mut lines = client.logs(4).await.expect("a stream");
    assert!(lines.next().await.expect("an item").is_ok());
    assert!(lines.next().await.is_none());
}

#[tokio::test]
async fn parts_come_back_in_the_order_of_the_tuple() {
    let (client, _notes, _server) = client().await;
    let (first, numbers, clips, rest) = client.export().await.expect("a reply");
    assert_eq!(clips, [clip(4)]);
    assert_eq!(text(first).await, "a: 1");
    let names: Vec<_> = rest.iter().map(File::name).collect();
    assert_eq!(names, ["b", "c"]);
    for (file, expected) in rest.into_iter().zip(["b: 2", "c: 3"]) {
        assert_eq!(text(file).await, expected);
    }
    assert_eq!(items(numbers).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_file_comes_back_as_a_stream() {
    let (client, _notes, _server) = client().await;
    let (head, mut content) = client.pack(file("name", "content")).await.expect("a reply");
    assert_eq!(head, (7, "name".to_owned()));
    let mut read = String::new();
    content.read_to_string(&mut read).await.expect("the end");
    assert_eq!(read, "content");
}

#[tokio::test]
async fn a_one_way_message_brings_all_parts() {
    let (client, mut notes, _server) = client().await;
    let lines = Streaming::from_iter(strings(&["one", "two"]));
    let passed = client.ingest("host".into(), lines, vec![file("a", "1")]);
    passed.await.expect("written");
    assert_eq!(notes.recv().await.expect("a note"), "host 1 one, two");
}

#[tokio::test]
async fn drafts_of_calls_that_carry_are_sent_later() {
    let (client, _notes, _server) = client().await;
    let draft = MediaDraft::count(vec![file("a", "1")]);
    assert_eq!(draft.action(), "count");
    let count = client.connection().call(draft).await;
    assert_eq!(count.expect("a reply"), 1);
    let found = client.connection().call(MediaDraft::download(7)).await;
    assert_eq!(found.expect("a clip").0, clip(7));
}

#[tokio::test]
async fn calls_without_their_files_or_stream_are_bad_requests() {
    let (client, _notes, _server) = client().await;
    let upload = Draft::new("upload").with_msgpack("Title").expect("encoded");
    let shell = Draft::new("shell");
    for message in [upload.create(), shell.create()] {
        let mut request = client.connection().send(message).await.expect("sent");
        let reply = request.response().await.expect("a reply");
        assert_eq!(reply.code(), Some(FastReply::BAD_REQUEST));
    }
}

#[tokio::test]
async fn payloads_of_other_types_are_bad_requests_beside_files() {
    #[service]
    trait Other {
        async fn upload(&self, title: u64, video: File, subtitles: Vec<File>) -> u64;
    }
    let (client, _notes, _server) = client().await;
    let other = OtherClient::new(client.connection().clone());
    let refused = other.upload(7, file("video", "moving"), vec![]).await;
    assert!(matches!(
        refused,
        Err(CallError::Refused {
            code: FastReply::BAD_REQUEST,
            ..
        })
    ));
}
