//! Who produces a stream, and what its reader sees when the producer breaks off: never a clean end.

use std::{
    future::pending,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures_util::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sockety::{
    ByteStream, CallError, File, ServiceError, Streaming,
    content::{PipeWriter, StreamSender},
    error::{ReadError, RequestError, SourceError, StreamError},
    serve::BoxError,
    service,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    sync::{mpsc, oneshot},
};

use crate::{
    streams::{pattern, read_error},
    support::settled,
};

#[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
enum Fault {
    #[code(16)]
    Jammed,
    #[code(17)]
    Worn { hours: u64 },
}

type Items = Streaming<u64, Fault>;
type Sender = StreamSender<u64, Fault>;

#[service]
trait Line {
    async fn items(&self) -> Streaming<u64, Fault>;
    async fn raw(&self) -> ByteStream;
    async fn file(&self) -> File;
    async fn take_items(&self, items: Streaming<u64, Fault>);
    async fn take_raw(&self, raw: ByteStream);
}

/// Hands out what it is given, and tells what it has read.
#[derive(Default)]
struct Works {
    items: Mutex<Option<Items>>,
    raw: Mutex<Option<ByteStream>>,
    file: Mutex<Option<File>>,
    read: Option<mpsc::UnboundedSender<Read>>,
}

impl Line for Works {
    async fn items(&self) -> Streaming<u64, Fault> {
        take(&self.items)
    }

    async fn raw(&self) -> ByteStream {
        take(&self.raw)
    }

    async fn file(&self) -> File {
        take(&self.file)
    }

    async fn take_items(&self, items: Streaming<u64, Fault>) {
        let read = read_items(items).await;
        let _ = self.read.as_ref().expect("somebody asks").send(read);
    }

    async fn take_raw(&self, raw: ByteStream) {
        let read = read_raw(raw).await;
        let _ = self.read.as_ref().expect("somebody asks").send(read);
    }
}

fn take<T>(from: &Mutex<Option<T>>) -> T {
    from.lock().expect("no panic").take().expect("called once")
}

/// What came, and how it ended.
#[derive(Debug, PartialEq)]
struct Read {
    items: Vec<u64>,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    Clean,
    Service(Fault),
    /// The producer is at this end.
    Broken(io::ErrorKind),
    /// The producer is at the other end.
    Aborted,
}

fn read(items: &[u64], end: End) -> Read {
    Read {
        items: items.to_vec(),
        end,
    }
}

async fn read_items(mut items: Items) -> Read {
    let mut found = vec![];
    let end = loop {
        match items.next().await {
            None => break End::Clean,
            Some(Ok(item)) => found.push(item),
            Some(Err(StreamError::Service(error))) => break End::Service(error),
            Some(Err(StreamError::Read(error))) => break broken(&error),
            Some(Err(other)) => panic!("{other:?}"),
        }
    };
    assert!(items.next().await.is_none(), "after the end");
    Read { items: found, end }
}

async fn read_raw(mut raw: ByteStream) -> Read {
    let mut found = vec![];
    let end = match raw.read_to_end(&mut found).await {
        Ok(_) => End::Clean,
        Err(error) => broken(&error),
    };
    let again = raw.read_u8().await.expect_err("after the end");
    assert!(end != End::Clean || again.kind() == io::ErrorKind::UnexpectedEof);
    Read {
        items: found.into_iter().map(u64::from).collect(),
        end,
    }
}

fn broken(error: &io::Error) -> End {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(ReadError::Aborted) => End::Aborted,
        _ => End::Broken(error.kind()),
    }
}

/// Reads items where they are produced, as a result, relayed, and as a parameter.
async fn check_items(make: impl Fn() -> Items, expected: &[u64], here: End, there: fn() -> End) {
    assert_eq!(read_items(make()).await, read(expected, here), "here");

    let works = Works::default();
    *works.items.lock().expect("no panic") = Some(make());
    let line = LineClient::local(works);
    let items = line.items().await.expect("a stream");
    assert_eq!(
        read_items(items).await,
        read(expected, there()),
        "as a result"
    );

    let (sender, mut reads) = mpsc::unbounded_channel();
    let line = LineClient::local(Works {
        read: Some(sender),
        ..Works::default()
    });
    let taken = line.take_items(make()).await;
    let found = reads.recv().await.expect("it was read");
    assert_eq!(found, read(expected, there()), "as a parameter");
    let is_source = |error: &CallError<_>| {
        matches!(
            error,
            CallError::Request {
                error: RequestError::Source(_),
                ..
            }
        )
    };
    match there() {
        End::Aborted => assert!(taken.as_ref().is_err_and(is_source), "{taken:?}"),
        _ => taken.expect("taken"),
    }
}

async fn check_raw(make: impl Fn() -> ByteStream, expected: &[u64], here: End, there: fn() -> End) {
    assert_eq!(read_raw(make()).await, read(expected, here), "here");

    let works = Works::default();
    *works.raw.lock().expect("no panic") = Some(make());
    let line = LineClient::local(works);
    let raw = line.raw().await.expect("a stream");
    assert_eq!(read_raw(raw).await, read(expected, there()), "as a result");

    let (sender, mut reads) = mpsc::unbounded_channel();
    let line = LineClient::local(Works {
        read: Some(sender),
        ..Works::default()
    });
    let taken = line.take_raw(make()).await;
    let found = reads.recv().await.expect("it was read");
    assert_eq!(found, read(expected, there()), "as a parameter");
    assert_eq!(taken.is_err(), there() == End::Aborted, "{taken:?}");
}

const EOF: End = End::Broken(io::ErrorKind::UnexpectedEof);
const OTHER: End = End::Broken(io::ErrorKind::Other);

/// A channel whose sender goes to a task.
fn channel<F>(produce: impl FnOnce(Sender) -> F) -> Items
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, items) = Streaming::channel(16);
    tokio::spawn(produce(sender));
    items
}

fn pipe<F>(produce: impl FnOnce(PipeWriter) -> F) -> ByteStream
where
    F: Future<Output = ()> + Send + 'static,
{
    let (writer, raw) = ByteStream::pipe(16);
    tokio::spawn(produce(writer));
    raw
}

mod channels {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_has_finished_ends_the_stream() {
        let make = || {
            channel(|items| async move {
                items.send(Ok(1)).await.expect("taken");
                items.finish();
            })
        };
        check_items(make, &[1], End::Clean, || End::Clean).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_whose_task_panics_breaks_the_stream_off() {
        let make = || {
            channel(|items| async move {
                items.send(Ok(1)).await.expect("taken");
                panic!("the second row cannot be read");
            })
        };
        check_items(make, &[1], EOF, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_whose_task_is_aborted_breaks_the_stream_off() {
        let make = || {
            let (sender, items) = Streaming::channel(16);
            let (begun, begins) = oneshot::channel();
            let task = tokio::spawn(async move {
                sender.send(Ok(1)).await.expect("taken");
                begun.send(()).expect("somebody waits");
                pending::<()>().await;
            });
            tokio::spawn(async move {
                begins.await.expect("it has begun");
                task.abort();
            });
            items
        };
        check_items(make, &[1], EOF, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_is_dropped_breaks_the_stream_off() {
        let make = || {
            channel(|items| async move {
                for item in 1..=3 {
                    items.send(Ok(item)).await.expect("taken");
                }
            })
        };
        check_items(make, &[1, 2, 3], EOF, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_the_service_is_an_end_too() {
        let make = || {
            channel(|items| async move {
                items.send(Ok(1)).await.expect("taken");
                let error = Fault::Worn { hours: 9 };
                items.send(Err(error)).await.expect("taken");
            })
        };
        let worn = || End::Service(Fault::Worn { hours: 9 });
        check_items(make, &[1], worn(), worn).await;
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_error_nothing_is_taken() {
        let (sender, mut items): (Sender, Items) = Streaming::channel(1);
        sender.send(Err(Fault::Jammed)).await.expect("taken");
        assert!(items.next().await.expect("an error").is_err());
        assert!(sender.is_closed());
        sender.closed().await;
        let sent = sender.send(Ok(1)).await;
        assert!(matches!(sent, Err(SourceError::GivenUp)), "{sent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_fails_when_nobody_reads_any_longer() {
        let (sender, items): (Sender, Items) = Streaming::channel(1);
        sender.send(Ok(1)).await.expect("taken");
        let (sent, ()) = tokio::join!(sender.send(Ok(2)), async { drop(items) });
        assert!(matches!(sent, Err(SourceError::GivenUp)), "{sent:?}");
    }

    #[tokio::test]
    async fn a_thread_can_send() {
        let (sender, items): (Sender, Items) = Streaming::channel(1);
        std::thread::spawn(move || {
            (1..=3).for_each(|item| sender.send_blocking(Ok(item)).expect("taken"));
            sender.finish();
        });
        assert_eq!(read_items(items).await, read(&[1, 2, 3], End::Clean));
    }

    #[tokio::test(start_paused = true)]
    async fn several_senders_end_the_stream_when_all_have_finished() {
        let (first, mut items): (Sender, Items) = Streaming::channel(16);
        let second = first.clone();
        first.send(Ok(1)).await.expect("taken");
        first.finish();
        assert_eq!(items.next().await.expect("an item").expect("an item"), 1);
        second.send(Ok(2)).await.expect("taken");
        second.finish();
        assert_eq!(read_items(items).await, read(&[2], End::Clean));
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_several_senders_breaks_the_stream_off_while_the_others_are_at_work() {
        let (first, items): (Sender, Items) = Streaming::channel(16);
        let second = first.clone();
        let reading = tokio::spawn(read_items(items));
        settled().await;
        first.send(Ok(1)).await.expect("taken");
        second.send(Ok(2)).await.expect("taken");
        drop(second);
        let found = reading.await.expect("no panic");
        assert_eq!(found, read(&[1, 2], EOF));
        assert!(first.send(Ok(3)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_is_dropped_last_is_not_hidden_by_one_that_has_finished() {
        let (first, items): (Sender, Items) = Streaming::channel(16);
        let second = first.clone();
        drop(first);
        second.finish();
        assert_eq!(read_items(items).await, read(&[], EOF));
    }
}

mod pipes {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_is_shut_down_ends_the_stream() {
        let make = || {
            pipe(|mut writer| async move {
                writer.write_all(&[1; 50]).await.expect("written");
                writer.shutdown().await.expect("ended");
            })
        };
        check_raw(make, &[1; 50], End::Clean, || End::Clean).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_whose_task_panics_breaks_the_stream_off() {
        let make = || {
            pipe(|mut writer| async move {
                writer.write_all(&[1; 50]).await.expect("written");
                panic!("the disk is broken");
            })
        };
        check_raw(make, &[1; 50], EOF, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_fails_breaks_the_stream_off() {
        let make = || {
            pipe(|mut writer| async move {
                let mut half = tokio::io::repeat(1).take(50).chain(Failing);
                tokio::io::copy(&mut half, &mut writer)
                    .await
                    .expect_err("it fails");
            })
        };
        // The copy has written what the pipe holds.
        check_raw(make, &[1; 16], EOF, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_fails_breaks_the_stream_off() {
        let make = || ByteStream::from_reader(tokio::io::repeat(1).take(50).chain(Failing));
        check_raw(make, &[1; 50], OTHER, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_chunks_that_fails_breaks_the_stream_off() {
        let make = || {
            let chunks = [Ok("\x01\x01".into()), Err(io::Error::other("reset"))];
            ByteStream::from_stream(stream::iter(chunks))
        };
        check_raw(make, &[1, 1], OTHER, || End::Aborted).await;
    }

    /// Fails.
    pub(super) struct Failing;

    impl AsyncRead for Failing {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::other("the disk is broken")))
        }
    }
}

use pipes::Failing;

mod tasks {
    use super::*;

    fn spawned<F>(produce: impl FnOnce(Sender) -> F) -> Items
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Streaming::spawn(16, produce)
    }

    fn written<F>(produce: impl FnOnce(PipeWriter) -> F) -> ByteStream
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        ByteStream::spawn(16, produce)
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_returns_ends_the_stream() {
        let make = || {
            spawned(|items| async move {
                items.send(Ok(1)).await?;
                Ok(())
            })
        };
        check_items(make, &[1], End::Clean, || End::Clean).await;
        let make = || {
            written(|mut writer| async move {
                writer.write_all(&[1; 50]).await?;
                Ok(())
            })
        };
        check_raw(make, &[1; 50], End::Clean, || End::Clean).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_finishes_by_itself_ends_the_stream_too() {
        let make = || {
            spawned(|items| async move {
                items.send(Ok(1)).await?;
                items.finish();
                Ok(())
            })
        };
        check_items(make, &[1], End::Clean, || End::Clean).await;
        let make = || {
            written(|mut writer| async move {
                writer.write_all(&[1; 50]).await?;
                writer.shutdown().await?;
                Ok(())
            })
        };
        check_raw(make, &[1; 50], End::Clean, || End::Clean).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_breaks_the_stream_off() {
        let make = || {
            spawned(|items| async move {
                items.send(Ok(1)).await?;
                let number: u64 = "two".parse()?;
                items.send(Ok(number)).await?;
                Ok(())
            })
        };
        check_items(make, &[1], OTHER, || End::Aborted).await;
        let make = || {
            written(|mut writer| async move {
                let mut half = tokio::io::repeat(1).take(50).chain(Failing);
                tokio::io::copy(&mut half, &mut writer).await?;
                Ok(())
            })
        };
        check_raw(make, &[1; 16], OTHER, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_after_it_has_ended_its_stream_breaks_it_off() {
        let make = || {
            spawned(|items| async move {
                items.send(Ok(1)).await?;
                items.finish();
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            })
        };
        let timed_out = End::Broken(io::ErrorKind::TimedOut);
        check_items(make, &[1], timed_out, || End::Aborted).await;
        let make = || {
            written(|mut writer| async move {
                writer.write_all(&[1; 50]).await?;
                writer.shutdown().await?;
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            })
        };
        let timed_out = End::Broken(io::ErrorKind::TimedOut);
        check_raw(make, &[1; 50], timed_out, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_breaks_the_stream_off() {
        let make = || {
            spawned(|items| async move {
                items.send(Ok(1)).await?;
                panic!("the second row cannot be read");
            })
        };
        check_items(make, &[1], OTHER, || End::Aborted).await;
        let make = || {
            written(|mut writer| async move {
                writer.write_all(&[1; 50]).await?;
                panic!("the disk is broken");
            })
        };
        check_raw(make, &[1; 50], OTHER, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_may_fail_with_the_error_of_the_service() {
        let make = || {
            spawned(|items| async move {
                items.send(Ok(1)).await?;
                Err(Fault::Worn { hours: 9 })?;
                Ok(())
            })
        };
        let worn = || End::Service(Fault::Worn { hours: 9 });
        check_items(make, &[1], worn(), worn).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_may_pass_the_error_of_its_input_on() {
        let make_from = |input: fn() -> Items| {
            move || {
                let mut input = input();
                spawned(move |items| async move {
                    while let Some(item) = input.next().await {
                        items.send(Ok(item? * 2)).await?;
                    }
                    Ok(())
                })
            }
        };
        let whole = make_from(|| Streaming::from_iter([1, 2]));
        check_items(whole, &[2, 4], End::Clean, || End::Clean).await;
        let jammed =
            make_from(|| Streaming::from_results(stream::iter([Ok(1), Err(Fault::Jammed)])));
        let end = || End::Service(Fault::Jammed);
        check_items(jammed, &[2], end(), end).await;
        let half =
            make_from(|| channel(|items| async move { items.send(Ok(1)).await.expect("taken") }));
        check_items(half, &[2], EOF, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_clone_outlives_the_task_and_has_to_finish_as_well() {
        let outliving = |finishes: bool| {
            move || {
                spawned(move |items| async move {
                    let clone = items.clone();
                    tokio::spawn(async move {
                        settled().await;
                        clone.send(Ok(1)).await.expect("taken");
                        if finishes {
                            clone.finish();
                        }
                    });
                    Ok(())
                })
            }
        };
        check_items(outliving(true), &[1], End::Clean, || End::Clean).await;
        check_items(outliving(false), &[1], EOF, || End::Aborted).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_outlives_the_task_has_to_finish_as_well() {
        let make = || {
            spawned(|items| async move {
                tokio::spawn(async move {
                    settled().await;
                    items.send(Ok(1)).await.expect("taken");
                });
                Ok(())
            })
        };
        check_items(make, &[1], EOF, || End::Aborted).await;
        let make = || {
            written(|mut writer| async move {
                tokio::spawn(async move {
                    settled().await;
                    writer.write_all(&[1; 50]).await.expect("written");
                });
                Ok(())
            })
        };
        check_raw(make, &[1; 50], EOF, || End::Aborted).await;
    }

    /// Tells when it is dropped.
    struct Tell(Option<oneshot::Sender<()>>);

    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.take().expect("dropped once").send(());
        }
    }

    fn tell() -> (Tell, oneshot::Receiver<()>) {
        let (sender, told) = oneshot::channel();
        (Tell(Some(sender)), told)
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_aborted_when_nobody_reads_any_longer() {
        let (alive, ended) = tell();
        let items = spawned(|items| async move {
            let _alive = alive;
            items.send(Ok(1)).await?;
            pending().await
        });
        settled().await;
        drop(items);
        ended.await.expect("told");

        let (alive, ended) = tell();
        let raw = written(|writer| async move {
            let _alive = (alive, writer);
            pending().await
        });
        settled().await;
        drop(raw);
        ended.await.expect("told");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_aborted_when_its_connection_ends() {
        let (alive, ended) = tell();
        let works = Works::default();
        *works.items.lock().expect("no panic") = Some(spawned(|items| async move {
            let _alive = alive;
            items.send(Ok(1)).await?;
            pending().await
        }));
        let line = LineClient::local(works);
        let mut items = line.items().await.expect("a stream");
        assert_eq!(items.next().await.expect("an item").expect("an item"), 1);
        line.connection().close().await;
        ended.await.expect("told");
    }
}

mod siblings {
    use super::*;

    fn half() -> Items {
        channel(|items| async move { items.send(Ok(1)).await.expect("taken") })
    }

    fn half_raw() -> ByteStream {
        pipe(|mut writer| async move { writer.write_all(&[1]).await.expect("written") })
    }

    /// Items that come over a connection.
    async fn received(items: Items) -> Items {
        let works = Works::default();
        *works.items.lock().expect("no panic") = Some(items);
        let line = LineClient::local(works);
        let items = line.items().await.expect("a stream");
        tokio::spawn(async move {
            settled().await;
            drop(line);
        });
        items
    }

    async fn received_raw(raw: ByteStream) -> ByteStream {
        let works = Works::default();
        *works.raw.lock().expect("no panic") = Some(raw);
        let line = LineClient::local(works);
        let raw = line.raw().await.expect("a stream");
        tokio::spawn(async move {
            settled().await;
            drop(line);
        });
        raw
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_passes_the_break_on() {
        let items = received(received(half()).await).await;
        assert_eq!(read_items(items).await, read(&[1], End::Aborted));
        let raw = received_raw(received_raw(half_raw()).await).await;
        assert_eq!(read_raw(raw).await, read(&[1], End::Aborted));
    }

    #[tokio::test(start_paused = true)]
    async fn an_adapter_passes_the_break_on() {
        fn doubled(items: Items) -> Items {
            Streaming::from_items(items.map_ok(|item| item * 2))
        }
        let jammed = || End::Service(Fault::Jammed);
        let ends_jammed = || {
            doubled(Streaming::from_results(stream::iter([
                Ok(1),
                Err(Fault::Jammed),
            ])))
        };
        check_items(|| doubled(half()), &[2], EOF, || End::Aborted).await;
        check_items(ends_jammed, &[2], jammed(), jammed).await;
        let whole = || doubled(Streaming::from_iter([1]));
        check_items(whole, &[2], End::Clean, || End::Clean).await;
        let items = received(doubled(received(half()).await)).await;
        assert_eq!(read_items(items).await, read(&[2], End::Aborted));
    }

    /// Reads a stream to its error, then sends what is left of it.
    async fn sent_after_its_error(mut items: Items) -> Read {
        while let Some(Ok(_)) = items.next().await {}
        let works = Works::default();
        *works.items.lock().expect("no panic") = Some(items);
        let line = LineClient::local(works);
        read_items(line.items().await.expect("a stream")).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_items_that_has_failed_is_not_sent_as_if_it_were_whole() {
        let jammed = || Streaming::from_results(stream::iter([Ok(1), Err(Fault::Jammed), Ok(2)]));
        let expected = || read(&[], End::Aborted);
        assert_eq!(sent_after_its_error(jammed()).await, expected());
        assert_eq!(sent_after_its_error(half()).await, expected());
        for items in [jammed(), half()] {
            let items = received(items).await;
            assert_eq!(sent_after_its_error(items).await, expected());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_bytes_that_has_failed_is_not_sent_as_if_it_were_whole() {
        let failing =
            || ByteStream::from_reader(tokio::io::repeat(1).take(5).chain(OnceFailing(false)));
        let chunks = || {
            let chunks = [Err(io::Error::other("reset")), Ok("a".into())];
            ByteStream::from_stream(stream::iter(chunks))
        };
        for mut raw in [failing(), chunks(), half_raw()] {
            while let Ok(Some(_)) = raw.next_chunk().await {}
            let works = Works::default();
            *works.raw.lock().expect("no panic") = Some(raw);
            let line = LineClient::local(works);
            let found = read_raw(line.raw().await.expect("a stream")).await;
            assert_eq!(found, read(&[], End::Aborted));
        }
    }

    /// Fails, then ends.
    struct OnceFailing(bool);

    impl AsyncRead for OnceFailing {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(if std::mem::replace(&mut self.0, true) {
                Ok(())
            } else {
                Err(io::Error::other("once"))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_iterator_that_panics_breaks_the_stream_off() {
        let works = Works::default();
        let items = (1..).inspect(|item| assert!(*item < 3, "the third cannot be made"));
        *works.items.lock().expect("no panic") = Some(Streaming::from_iter(items));
        let line = LineClient::local(works);
        let found = read_items(line.items().await.expect("a stream")).await;
        assert_eq!(found.end, End::Aborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_whose_reader_breaks_off_is_never_whole() {
        struct Panicking;
        impl AsyncRead for Panicking {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                panic!("the disk is broken")
            }
        }
        let readers: [Box<dyn AsyncRead + Send + Unpin>; 4] = [
            Box::new(tokio::io::repeat(1).take(50).chain(Failing)),
            Box::new(tokio::io::repeat(1).take(100).chain(Failing)),
            Box::new(tokio::io::repeat(1).take(50).chain(Panicking)),
            Box::new(half_raw()),
        ];
        for reader in readers {
            let works = Works::default();
            let file = File::from_reader("a.bin", 100, reader);
            *works.file.lock().expect("no panic") = Some(file);
            let line = LineClient::local(works);
            let file = line.file().await.expect("a file");
            let error = file.bytes(1000).await.expect_err("it broke off");
            assert!(matches!(read_error(&error), ReadError::Aborted), "{error}");
        }
    }

    /// Many items, so that some of them have to wait at each place.
    #[tokio::test(start_paused = true)]
    async fn what_came_before_the_break_is_read_by_a_reader_that_is_late() {
        let all = pattern(100_000);
        let written = all.clone();
        let works = Works::default();
        let raw = ByteStream::spawn(1000, |mut writer| async move {
            writer.write_all(&written).await?;
            Err("no more".into())
        });
        *works.raw.lock().expect("no panic") = Some(raw);
        let line = LineClient::local(works);
        let raw = line.raw().await.expect("a stream");
        settled().await;
        let all: Vec<u64> = all.into_iter().map(u64::from).collect();
        assert_eq!(read_raw(raw).await, read(&all, End::Aborted));
    }
}

/// Numbers but one can be encoded.
#[derive(Debug, Deserialize)]
struct Number(u64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            4 => Err(serde::ser::Error::custom("not this one")),
            number => serializer.serialize_u64(number),
        }
    }
}

#[service]
trait Numbers {
    async fn numbers(&self) -> Streaming<Number>;
}

struct Six;

impl Numbers for Six {
    async fn numbers(&self) -> Streaming<Number> {
        Streaming::from_iter((1..=6).map(Number))
    }
}

#[tokio::test(start_paused = true)]
async fn items_before_one_that_cannot_be_encoded_arrive_and_it_is_logged() {
    let (log, _guard) = Warnings::subscribe();
    let numbers = NumbersClient::local(Six);
    let mut found = vec![];
    let mut items = numbers.numbers().await.expect("a stream");
    let error = loop {
        match items.next().await.expect("no clean end") {
            Ok(Number(number)) => found.push(number),
            Err(error) => break error,
        }
    };
    let StreamError::Read(error) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(read_error(&error), ReadError::Aborted));
    assert_eq!(found, [1, 2, 3]);
    let log = log.lock().expect("no panic");
    assert!(
        log.iter().any(|line| line.contains("not this one")),
        "{log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn why_a_stream_broke_off_is_logged_where_it_is_produced() {
    let (log, _guard) = Warnings::subscribe();
    let works = Works::default();
    let items = Streaming::spawn(1, |items: Sender| async move {
        items.send(Ok(1)).await?;
        Err("row 2 is torn".into())
    });
    *works.items.lock().expect("no panic") = Some(items);
    let line = LineClient::local(works);
    let items = line.items().await.expect("a stream");
    assert_eq!(read_items(items).await, read(&[1], End::Aborted));
    let log = log.lock().expect("no panic");
    assert!(
        log.iter().any(|line| line.contains("row 2 is torn")),
        "{log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn why_a_file_broke_off_is_logged_where_it_is_produced() {
    let (log, _guard) = Warnings::subscribe();
    let works = Works::default();
    let reader = tokio::io::repeat(1).take(50).chain(Failing);
    *works.file.lock().expect("no panic") = Some(File::from_reader("a.bin", 100, reader));
    let line = LineClient::local(works);
    let file = line.file().await.expect("a file");
    file.bytes(1000).await.expect_err("it broke off");
    let log = log.lock().expect("no panic");
    assert!(
        log.iter().any(|line| line.contains("the disk is broken")),
        "{log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_stream_breaks_off_does_not_fill_the_log() {
    let works = Works::default();
    *works.raw.lock().expect("no panic") = Some(pipe(|_| async {}));
    let first = LineClient::local(works);
    let works = Works::default();
    *works.raw.lock().expect("no panic") = Some(first.raw().await.expect("a stream"));
    settled().await;
    let (log, _guard) = Warnings::subscribe();
    let second = LineClient::local(works);
    let raw = second.raw().await.expect("a stream");
    assert_eq!(read_raw(raw).await, read(&[], End::Aborted));
    let log = log.lock().expect("no panic");
    assert!(log.is_empty(), "{log:?}");
}

/// The errors of the warnings of this thread.
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn subscribe() -> (Arc<Mutex<Vec<String>>>, tracing::subscriber::DefaultGuard) {
        use tracing_subscriber::prelude::*;
        let log = Arc::default();
        let layer = Self(Arc::clone(&log));
        let subscriber = tracing_subscriber::registry().with(layer);
        (log, tracing::subscriber::set_default(subscriber))
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if *event.metadata().level() > tracing::Level::WARN {
            return;
        }
        struct Visit(String);
        impl tracing::field::Visit for Visit {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "error" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut visit = Visit(String::new());
        event.record(&mut visit);
        self.0.lock().expect("no panic").push(visit.0);
    }
}
