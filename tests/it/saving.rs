//! Files that are saved to disk: what a hostile peer, a hostile directory and a full disk cannot
//! do.
#![cfg(unix)]

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sockety::{
    Connection, FastReply, File, Options, Router, Server,
    content::{Save, Saved, sweep_partial_files},
    error::{NameProblem, ReadError, SaveError, chain},
    message::{Draft, Outgoing, Request},
    serve::Message,
};
use tempfile::TempDir;
use tokio::io::{AsyncWriteExt, DuplexStream, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::support::{PIPE, base, code_of, pair_serving, pair_with, ping_handler};

/// A connection whose other end saves every file that comes with `upload`.
struct Uploads {
    connection: Connection,
    results: mpsc::UnboundedReceiver<Result<Saved, SaveError>>,
    progress: mpsc::UnboundedReceiver<(u64, u64)>,
    _server: Connection,
}

impl Uploads {
    async fn saving_in(directory: &Path) -> Self {
        let directory = directory.to_owned();
        Self::saving(move |file| file.save_in(&directory)).await
    }

    async fn saving(save: impl Fn(File) -> Save + Send + Sync + 'static) -> Self {
        let (sender, results) = mpsc::unbounded_channel();
        let (reporter, progress) = mpsc::unbounded_channel();
        let save = Arc::new(save);
        let handler = ping_handler().action("upload", move |message: Message| {
            let (sender, save, reporter) = (sender.clone(), Arc::clone(&save), reporter.clone());
            async move {
                let mut saves = JoinSet::new();
                for file in message.take_files() {
                    let reporter = reporter.clone();
                    let save = save(file).on_progress(move |saved, size| {
                        reporter.send((saved, size)).expect("the test listens");
                    });
                    saves.spawn(save.into_future());
                }
                while let Some(saved) = saves.join_next().await {
                    let saved = saved.expect("no panic");
                    sender.send(saved).expect("the test listens");
                }
                FastReply::ACCEPT
            }
        });
        // With the extension, a handler is dropped with its caller, and has no result.
        let here = (Router::new(), base());
        let (connection, server) = pair_with(here, (handler, base()), PIPE).await;
        Self {
            connection,
            results,
            progress,
            _server: server,
        }
    }

    async fn send(&self, files: impl IntoIterator<Item = File>) -> Request {
        let message: Outgoing = Draft::new("upload").create().with_files(files);
        self.connection.send(message).await.expect("sent")
    }

    /// Sends a file, and returns what became of it. The connection answers afterwards.
    async fn upload(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Result<Saved, SaveError> {
        let file = File::from_bytes(name, bytes.into());
        assert_eq!(code_of(self.send([file]).await).await, 0);
        let result = self.result().await;
        answers_ping(&self.connection).await;
        result
    }

    async fn result(&mut self) -> Result<Saved, SaveError> {
        self.results.recv().await.expect("the handler lives")
    }

    /// Sends half a file, and waits until that is on disk.
    async fn half_a_file(&mut self, name: &str) -> (Request, DuplexStream) {
        let (file, writer) = half_a_file(name).await;
        let request = self.send([file]).await;
        half_is_saved(&mut self.progress).await;
        (request, writer)
    }
}

/// Half of the files that end, or not, when a test says so: as much as is read of a file at a time.
const HALF: usize = 128 * 1024;

/// A file whose second half is still to be written.
async fn half_a_file(name: &str) -> (File, DuplexStream) {
    let (mut writer, reader) = tokio::io::duplex(HALF);
    writer.write_all(&[b'1'; HALF]).await.expect("written");
    let file = File::from_reader(name, 2 * HALF as u64, reader);
    (file, writer)
}

async fn half_is_saved(progress: &mut mpsc::UnboundedReceiver<(u64, u64)>) {
    while progress.recv().await.expect("it is being saved") != (HALF as u64, 2 * HALF as u64) {}
}

async fn other_half(mut writer: DuplexStream) {
    writer.write_all(&[b'2'; HALF]).await.expect("written");
}

fn both_halves() -> Vec<u8> {
    [[b'1'; HALF], [b'2'; HALF]].concat()
}

async fn answers_ping(connection: &Connection) {
    let request = connection.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string())
        .collect::<Result<_, _>>()
        .expect("UTF-8");
    names.sort();
    names
}

/// Waits until nothing is in a directory: what is given up is removed off the async threads.
async fn is_emptied(directory: &Path) {
    while !names(directory).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[track_caller]
fn problem(result: Result<Saved, SaveError>) -> NameProblem {
    match result {
        Err(SaveError::Name(error)) => error.problem(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_exists(result: Result<Saved, SaveError>, expected: &Path) {
    assert!(
        matches!(&result, Err(SaveError::Exists { path }) if path == expected),
        "{result:?}"
    );
}

#[track_caller]
fn io_error(result: Result<Saved, SaveError>) -> (&'static str, PathBuf, io::ErrorKind) {
    match result {
        Err(SaveError::Io {
            operation,
            path,
            source,
        }) => (operation, path, source.kind()),
        other => panic!("{other:?}"),
    }
}

/// Handlers pass these texts on to peers.
#[tokio::test]
async fn the_text_of_an_error_has_the_name_and_not_the_directory() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    let (missing, file) = (path("missing"), || File::from_bytes("a.txt", "content"));
    let mut errors = Vec::new();
    file().save_in(directory.path()).await.expect("saved");
    errors.push((file().save_in(directory.path()).await, path("a.txt")));
    errors.push((file().save_in(&missing).await, missing));
    errors.push((file().save_as(path("a.txt").join("b")).await, path("a.txt")));
    let short = File::from_reader("b.txt", 7, &b"cont"[..]);
    errors.push((short.save_in(directory.path()).await, path("b.txt")));
    let limited = file().save_in(directory.path()).limit(1).await;
    errors.push((limited, directory.path().to_owned()));
    let texts = errors.into_iter().map(|(result, path)| {
        let error = result.expect_err("not saved");
        assert_eq!(error.path(), Some(&*path));
        chain(&error).to_string()
    });
    assert_eq!(
        texts.collect::<Vec<_>>(),
        [
            "file \"a.txt\" exists already",
            "cannot open the directory: No such file or directory (os error 2)",
            "cannot open the directory: Not a directory (os error 20)",
            "file \"b.txt\" did not arrive completely: file ended 3 bytes short of its announced \
             size",
            "file \"a.txt\" has 7 bytes, over the limit of 1",
        ]
    );
}

#[tokio::test]
async fn a_file_is_saved_under_its_own_name() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    for (name, size) in [
        ("empty", 0),
        ("small.txt", 17),
        ("großes Bild.png", 3_000_001),
    ] {
        let bytes: Vec<_> = (0..size).map(|n| (n % 251) as u8).collect();
        let saved = uploads.upload(name, bytes.clone()).await.expect("saved");
        assert_eq!(saved.path, directory.path().join(name));
        assert_eq!(saved.size, size);
        assert!(fs::read(&saved.path).expect("a file") == bytes, "{name}");
    }
    assert_eq!(names(directory.path()).len(), 3);
}

#[tokio::test]
async fn progress_is_told_up_to_the_end() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let saved = uploads.upload("a", vec![7; 5_000_000]).await;
    assert_eq!(saved.expect("saved").size, 5_000_000);
    let mut last = 0;
    while let Ok((saved, size)) = uploads.progress.try_recv() {
        assert!(saved > last && size == 5_000_000);
        last = saved;
    }
    assert_eq!(last, 5_000_000);
}

#[tokio::test]
async fn a_file_is_saved_under_a_path_of_the_caller() {
    let directory = directory();
    let path = directory.path().join("4711.bin");
    let target = path.clone();
    let mut uploads = Uploads::saving(move |file| file.save_as(&target).sync()).await;
    let saved = uploads.upload("../../etc/passwd", "first").await;
    assert_eq!(saved.expect("saved").path, path);
    assert_exists(uploads.upload("other", "second").await, &path);
    assert_eq!(fs::read(&path).expect("a file"), b"first");
    assert_eq!(names(directory.path()), ["4711.bin"]);
}

#[tokio::test]
async fn a_path_without_a_name_is_refused() {
    for path in ["", "/", "..", "somewhere/.."] {
        let result = File::from_bytes("a", "a").save_as(path).await;
        let found = io_error(result);
        assert_eq!(found, ("save as", path.into(), io::ErrorKind::InvalidInput));
    }
}

#[tokio::test]
async fn files_of_every_origin_are_saved() {
    let directory = directory();
    let memory = File::from_bytes("memory", "content").save_in(directory.path());
    let saved = memory.await.expect("saved");
    let disk = File::open(&saved.path).await.expect("a file");
    let disk = disk.with_name("disk").save_in(directory.path());
    disk.await.expect("saved");
    let reader = File::from_reader("reader", 7, &b"content"[..]).save_in(directory.path());
    reader.await.expect("saved");
    for name in ["memory", "disk", "reader"] {
        let found = fs::read(directory.path().join(name)).expect("a file");
        assert_eq!(found, b"content");
    }
}

#[tokio::test]
async fn t_x1_names_with_path_separators_are_refused() {
    let outer = directory();
    let inner = outer.path().join("inner");
    fs::create_dir(&inner).expect("a directory");
    let mut uploads = Uploads::saving_in(&inner).await;
    for name in [
        "../../x",
        "../x",
        "/etc/cron.d/x",
        r"a\..\b",
        "a/../../b",
        r"..\x",
        "x/",
    ] {
        let result = uploads.upload(name, "evil").await;
        assert_eq!(problem(result), NameProblem::Separator, "{name:?}");
    }
    assert!(names(&inner).is_empty());
    assert_eq!(names(outer.path()), ["inner"]);
}

#[tokio::test]
async fn t_x1_names_that_are_no_names_are_refused() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    for (name, expected) in [
        ("", NameProblem::Empty),
        (".", NameProblem::Directory),
        ("..", NameProblem::Directory),
        (r"C:x", NameProblem::Colon),
        ("x\0.txt", NameProblem::Control('\0')),
        ("x\r\n", NameProblem::Control('\r')),
    ] {
        let result = uploads.upload(name, "evil").await;
        assert_eq!(problem(result), expected, "{name:?}");
    }
    assert!(names(directory.path()).is_empty());
}

#[tokio::test]
async fn t_x1_names_longer_than_a_file_may_have_are_refused() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let longest = "n".repeat(255);
    uploads.upload(&longest, "content").await.expect("saved");
    for length in [256, 65_535] {
        let file = File::from_bytes("n".repeat(length), "content");
        // The limits of the connection may be what refuses it.
        if code_of(uploads.send([file]).await).await == 0 {
            let result = uploads.result().await;
            assert_eq!(problem(result), NameProblem::TooLong { length });
        }
        answers_ping(&uploads.connection).await;
    }
    assert_eq!(names(directory.path()), [longest]);
}

#[tokio::test]
async fn t_x2_a_link_under_the_final_name_is_not_followed() {
    let directory = directory();
    let outside = self::directory();
    let victim = outside.path().join("victim");
    fs::write(&victim, "precious").expect("written");
    let link = |name: &str, target: &Path| {
        symlink(target, directory.path().join(name)).expect("a link");
    };
    link("to-file", &victim);
    link("dangling", &outside.path().join("new"));
    link("to-directory", outside.path());
    link("to-itself", &directory.path().join("to-itself"));
    let mut uploads = Uploads::saving_in(directory.path()).await;
    for name in ["to-file", "dangling", "to-directory", "to-itself"] {
        let result = uploads.upload(name, "evil").await;
        assert_exists(result, &directory.path().join(name));
    }
    assert_eq!(fs::read(&victim).expect("a file"), b"precious");
    assert_eq!(names(outside.path()), ["victim"]);
    assert_eq!(names(directory.path()).len(), 4);
}

#[tokio::test]
async fn t_x2_a_link_put_in_place_of_the_directory_changes_nothing() {
    let outer = directory();
    let [uploads, moved, elsewhere] =
        ["uploads", "moved", "elsewhere"].map(|name| outer.path().join(name));
    fs::create_dir(&uploads).expect("a directory");
    fs::create_dir(&elsewhere).expect("a directory");
    let mut server = Uploads::saving_in(&uploads).await;
    let (request, writer) = server.half_a_file("a.txt").await;

    fs::rename(&uploads, &moved).expect("moved");
    symlink(&elsewhere, &uploads).expect("a link");

    other_half(writer).await;
    assert_eq!(code_of(request).await, 0);
    assert_eq!(server.result().await.expect("saved").size, 2 * HALF as u64);
    assert!(names(&elsewhere).is_empty());
    assert_eq!(names(&moved), ["a.txt"]);
    let content = fs::read(moved.join("a.txt")).expect("a file");
    assert!(content == both_halves());
    answers_ping(&server.connection).await;
}

#[tokio::test]
async fn t_x2_a_link_under_the_temporary_name_gets_no_content() {
    let directory = directory();
    let outside = self::directory();
    let victim = outside.path().join("victim");
    fs::write(&victim, "precious").expect("written");
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let (request, writer) = uploads.half_a_file("a.txt").await;

    let temporary = directory.path().join(&names(directory.path())[0]);
    fs::remove_file(&temporary).expect("removed");
    symlink(&victim, &temporary).expect("a link");

    other_half(writer).await;
    assert_eq!(code_of(request).await, 0);
    drop(uploads.result().await);
    assert_eq!(fs::read(&victim).expect("a file"), b"precious");
    answers_ping(&uploads.connection).await;
}

#[tokio::test]
async fn t_x3_the_same_name_again_never_overwrites() {
    let directory = directory();
    let path = directory.path().join("a.txt");
    let mut uploads = Uploads::saving_in(directory.path()).await;
    uploads.upload("a.txt", "first").await.expect("saved");
    assert_exists(uploads.upload("a.txt", "second").await, &path);
    fs::create_dir(directory.path().join("folder")).expect("a directory");
    let result = uploads.upload("folder", "file").await;
    assert_exists(result, &directory.path().join("folder"));
    assert_eq!(fs::read(&path).expect("a file"), b"first");
    assert_eq!(names(directory.path()), ["a.txt", "folder"]);
}

#[tokio::test]
async fn t_x3_of_two_files_of_one_name_one_is_saved_whole() {
    let directory = directory();
    let path = directory.path().join("a.txt");
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let contents = [vec![b'1'; 100_000], vec![b'2'; 70_000]];
    let files = contents
        .clone()
        .map(|content| File::from_bytes("a.txt", content));
    let request = uploads.send(files).await;
    assert_eq!(code_of(request).await, 0);
    let results = [uploads.result().await, uploads.result().await];
    let [saved, refused] = match results {
        [Ok(saved), other] | [other, Ok(saved)] => [Ok(saved), other],
        results => panic!("{results:?}"),
    };
    assert_exists(refused, &path);
    let found = fs::read(&path).expect("a file");
    assert_eq!(saved.expect("saved").size, found.len() as u64);
    assert!(contents.contains(&found));
    assert_eq!(names(directory.path()), ["a.txt"]);
    answers_ping(&uploads.connection).await;
}

#[tokio::test]
async fn t_x3_names_that_a_file_system_may_take_for_one_never_overwrite() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let mut saved = Vec::new();
    for name in ["A.txt", "a.txt", "caf\u{e9}", "cafe\u{301}"] {
        match uploads.upload(name, name).await {
            Ok(file) => saved.push((file.path, name)),
            Err(SaveError::Exists { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(names(directory.path()).len(), saved.len());
    for (path, content) in saved {
        assert_eq!(fs::read(path).expect("a file"), content.as_bytes());
    }
}

#[tokio::test]
async fn t_x4_names_of_devices_and_streams_are_refused() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    for (name, expected) in [
        ("CON", NameProblem::Device),
        ("NUL.txt", NameProblem::Device),
        ("com1", NameProblem::Device),
        ("COM¹", NameProblem::Device),
        ("lpt9.tar.gz", NameProblem::Device),
        ("x:stream", NameProblem::Colon),
        ("x.", NameProblem::TrailingDotOrSpace),
        ("x ", NameProblem::TrailingDotOrSpace),
        (".sockety-partial-1", NameProblem::Reserved),
    ] {
        let result = uploads.upload(name, "evil").await;
        assert_eq!(problem(result), expected, "{name:?}");
    }
    assert!(names(directory.path()).is_empty());
}

/// A file system of one mebibyte.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = directory();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "sockety-test"])
            .arg(directory.path())
            .output();
        mount.ok()?.status.success().then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[tokio::test]
async fn t_x5_a_full_disk_fails_that_file_alone() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let directory = disk.0.path();
    let mut uploads = Uploads::saving_in(directory).await;
    let result = uploads.upload("large", vec![7; 4 << 20]).await;
    let expected = ("write", directory.join("large"), io::ErrorKind::StorageFull);
    assert_eq!(io_error(result), expected);
    assert!(names(directory).is_empty());

    let files = [
        File::from_bytes("too-large", vec![7; 4 << 20]),
        File::from_bytes("small", "content"),
    ];
    assert_eq!(code_of(uploads.send(files).await).await, 0);
    // The small one may come while the disk is still full.
    let mut saved = Vec::new();
    for result in [uploads.result().await, uploads.result().await] {
        match result {
            Ok(_) => saved.push("small"),
            result => assert_eq!(io_error(result).2, io::ErrorKind::StorageFull),
        }
    }
    assert_eq!(names(directory), saved);
    let saved = uploads.upload("after", vec![7; 500_000]).await;
    assert_eq!(saved.expect("saved").size, 500_000);
}

#[tokio::test]
async fn t_x5_a_directory_that_is_missing_fails_that_file_alone() {
    let directory = directory();
    let missing = directory.path().join("missing");
    let mut uploads = Uploads::saving_in(&missing).await;
    let expected = (
        "open the directory",
        missing.clone(),
        io::ErrorKind::NotFound,
    );
    assert_eq!(io_error(uploads.upload("a", "content").await), expected);
    fs::create_dir(&missing).expect("a directory");
    uploads.upload("a", "content").await.expect("saved");
}

#[tokio::test]
async fn t_x5_a_directory_that_vanishes_fails_that_file_alone() {
    let outer = directory();
    let directory = outer.path().join("uploads");
    fs::create_dir(&directory).expect("a directory");
    let mut uploads = Uploads::saving_in(&directory).await;
    let (request, writer) = uploads.half_a_file("a").await;
    fs::remove_dir_all(&directory).expect("removed");
    other_half(writer).await;
    assert_eq!(code_of(request).await, 0);
    let expected = ("name", directory.join("a"), io::ErrorKind::NotFound);
    assert_eq!(io_error(uploads.result().await), expected);
    assert!(names(outer.path()).is_empty());
    answers_ping(&uploads.connection).await;
}

#[tokio::test]
async fn t_x5_a_directory_that_may_not_be_written_to_fails_that_file_alone() {
    let directory = directory();
    let is_root = fs::metadata("/proc/self").expect("this process").uid() == 0;
    let forbidden = if is_root {
        // What root may do anywhere else.
        PathBuf::from("/proc")
    } else {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o500)).expect("set");
        directory.path().to_owned()
    };
    let mut uploads = Uploads::saving_in(&forbidden).await;
    let (operation, path, _) = io_error(uploads.upload("a", "content").await);
    assert_eq!((operation, path), ("create", forbidden.join("a")));
}

#[tokio::test]
async fn t_x6_a_file_that_is_given_up_by_its_sender_leaves_nothing() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let (request, _writer) = uploads.half_a_file("a.txt").await;
    assert_eq!(names(directory.path()).len(), 1);
    assert!(!directory.path().join("a.txt").exists());
    drop(request);
    let error = uploads.result().await.expect_err("half a file");
    assert!(matches!(error.read_error(), Some(ReadError::Aborted)));
    assert!(error.to_string().contains("a.txt"), "{error}");
    assert!(names(directory.path()).is_empty());
    answers_ping(&uploads.connection).await;
}

/// Its handler is dropped with its caller.
#[tokio::test]
async fn t_x6_a_file_that_its_handler_no_longer_saves_leaves_nothing() {
    let directory = directory();
    let (reporter, mut progress) = mpsc::unbounded_channel();
    let target = directory.path().to_owned();
    let handler = ping_handler().action("upload", move |message: Message| {
        let file = message.take_files().remove(0);
        let reporter = reporter.clone();
        let save = file.save_in(&target).on_progress(move |saved, size| {
            reporter.send((saved, size)).expect("the test listens");
        });
        async move {
            let _ = save.await;
            FastReply::ACCEPT
        }
    });
    let (connection, _server) = pair_serving(handler).await;
    let (file, _writer) = half_a_file("a.txt").await;
    let message = Draft::new("upload").create().with_files([file]);
    let request = connection.send(message).await.expect("sent");
    half_is_saved(&mut progress).await;
    assert_eq!(names(directory.path()).len(), 1);
    drop(request);
    while !names(directory.path()).is_empty() {
        tokio::task::yield_now().await;
    }
    answers_ping(&connection).await;
}

#[tokio::test]
async fn t_x6_a_connection_that_ends_leaves_nothing() {
    check_lost_connection(|_| Ok(())).await;
}

#[tokio::test]
async fn t_x6_a_reset_connection_leaves_nothing() {
    check_lost_connection(TcpStream::set_zero_linger).await;
}

/// Cuts a connection in the middle of a file.
async fn check_lost_connection(prepare: fn(&TcpStream) -> io::Result<()>) {
    let directory = directory();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let (sender, mut results) = mpsc::unbounded_channel();
    let (reporter, mut progress) = mpsc::unbounded_channel();
    let target = directory.path().to_owned();
    let handler = ping_handler().action("upload", move |message: Message| {
        let file = message.take_files().remove(0);
        let (sender, reporter) = (sender.clone(), reporter.clone());
        let save = file.save_in(&target).on_progress(move |saved, size| {
            reporter.send((saved, size)).expect("the test listens");
        });
        async move {
            sender.send(save.await).expect("the test listens");
            FastReply::ACCEPT
        }
    });
    tokio::spawn(server.serve(handler));

    let mut stream = TcpStream::connect(address).await.expect("connected");
    prepare(&stream).expect("set");
    let (near, mut far) = tokio::io::duplex(HALF);
    let link = tokio::spawn(async move { copy_bidirectional(&mut far, &mut stream).await });
    let client = Connection::over(near, Router::new(), Options::default());
    let client = client.await.expect("a connection");
    let (file, _writer) = half_a_file("a.txt").await;
    let request = client
        .send(Draft::new("upload").create().with_file(file))
        .await;
    half_is_saved(&mut progress).await;
    link.abort();

    let error = results.recv().await.expect("a result").expect_err("half");
    let read_error = error.read_error();
    assert!(
        matches!(read_error, Some(ReadError::Disconnected { .. })),
        "{error:?}"
    );
    assert!(names(directory.path()).is_empty());
    drop(request);
    let next = sockety::connect(address).await.expect("connected");
    answers_ping(&next).await;
}

#[tokio::test]
async fn t_x6_a_save_that_is_dropped_leaves_nothing() {
    let directory = directory();
    let (cancel, cancelled) = oneshot::channel::<()>();
    let cancelled = std::sync::Mutex::new(Some(cancelled));
    let (reporter, mut progress) = mpsc::unbounded_channel();
    let target = directory.path().to_owned();
    let handler = ping_handler().action("upload", move |message: Message| {
        let file = message.take_files().remove(0);
        let cancelled = cancelled.lock().expect("no panic").take().expect("once");
        let reporter = reporter.clone();
        let save = file.save_in(&target).on_progress(move |saved, size| {
            reporter.send((saved, size)).expect("the test listens");
        });
        async move {
            tokio::select! {
                result = save.into_future() => panic!("{result:?}"),
                _ = cancelled => FastReply::REJECT,
            }
        }
    });
    let (connection, _server) = pair_serving(handler).await;
    let (file, _writer) = half_a_file("a.txt").await;
    let message = Draft::new("upload").create().with_file(file);
    let request = connection.send(message).await.expect("sent");
    half_is_saved(&mut progress).await;
    assert_eq!(names(directory.path()).len(), 1);
    cancel.send(()).expect("the handler waits");
    assert_eq!(code_of(request).await, 1);
    is_emptied(directory.path()).await;
    answers_ping(&connection).await;
}

#[test]
fn t_x6_a_runtime_that_ends_leaves_nothing() {
    let directory = directory();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (began, begun) = std::sync::mpsc::channel();
    let (file, _writer) = runtime.block_on(half_a_file("a.txt"));
    let save = file.save_in(directory.path());
    let save = save.on_progress(move |saved, _| began.send(saved).expect("the test listens"));
    runtime.spawn(save.into_future());
    assert_eq!(begun.recv(), Ok(HALF as u64));
    assert_eq!(names(directory.path()).len(), 1);
    drop(runtime);
    assert!(names(directory.path()).is_empty());
}

#[tokio::test]
async fn t_x6_a_file_of_another_size_than_announced_leaves_nothing() {
    let directory = directory();
    let save = |size| File::from_reader("a.txt", size, &b"content"[..]).save_in(directory.path());
    let error = save(8).await.expect_err("too short");
    assert!(matches!(
        error.read_error(),
        Some(ReadError::TooShort { missing: 1 })
    ));
    let error = save(6).await.expect_err("too long");
    assert!(matches!(
        error.read_error(),
        Some(ReadError::TooLarge { limit: 6 })
    ));
    assert!(names(directory.path()).is_empty());
    save(7).await.expect("saved");
}

#[tokio::test]
async fn t_x6_a_sweep_spares_what_is_being_saved() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let (request, writer) = uploads.half_a_file("a.txt").await;
    fs::write(directory.path().join(".sockety-partial-0"), "left").expect("written");
    let swept = sweep_partial_files(directory.path()).await;
    assert_eq!(swept.expect("swept"), 1);
    other_half(writer).await;
    assert_eq!(code_of(request).await, 0);
    assert_eq!(uploads.result().await.expect("saved").size, 2 * HALF as u64);
    assert_eq!(names(directory.path()), ["a.txt"]);
    let swept = sweep_partial_files(directory.path()).await;
    assert_eq!(swept.expect("swept"), 0);
}

#[tokio::test]
async fn t_x7_an_announced_size_over_the_limit_is_refused_before_anything_is_created() {
    let directory = directory();
    // It would fail otherwise when the directory is opened.
    let missing = directory.path().join("missing");
    let mut uploads = Uploads::saving_in(&missing).await;
    let (_writer, reader) = tokio::io::duplex(100);
    let request = uploads
        .send([File::from_reader("a.bin", 1 << 40, reader)])
        .await;
    let error = uploads.result().await.expect_err("too large");
    let SaveError::TooLarge { size, limit, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*size, *limit), (1 << 40, 1 << 30));
    let message = error.to_string();
    assert_eq!(
        message,
        "file \"a.bin\" has 1099511627776 bytes, over the limit of 1073741824"
    );
    assert_eq!(error.path(), Some(&*missing));
    assert_eq!(code_of(request).await, 0);
    answers_ping(&uploads.connection).await;
    assert!(names(directory.path()).is_empty());
}

#[tokio::test]
async fn t_x7_the_limit_is_the_callers() {
    let directory = directory();
    let target = directory.path().to_owned();
    let mut uploads = Uploads::saving(move |file| file.save_in(&target).limit(10)).await;
    uploads.upload("a", "0123456789").await.expect("saved");
    let result = uploads.upload("b", "0123456789+").await;
    assert!(matches!(
        result,
        Err(SaveError::TooLarge {
            size: 11,
            limit: 10,
            ..
        })
    ));
    assert_eq!(names(directory.path()), ["a"]);
}

/// More files than may be written at a time; how many are is tested where that can be seen.
#[tokio::test]
async fn t_x8_many_files_at_once_are_saved_while_calls_are_answered() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let content = |n: usize| vec![n as u8; 20_000 + n];
    let mut requests = Vec::new();
    for n in 0..4 {
        let files = (n * 50..n * 50 + 50).map(|n| File::from_bytes(n.to_string(), content(n)));
        requests.push(uploads.send(files).await);
    }
    answers_ping(&uploads.connection).await;
    for request in requests {
        assert_eq!(code_of(request).await, 0);
    }
    for _ in 0..200 {
        uploads.result().await.expect("saved");
    }
    assert_eq!(names(directory.path()).len(), 200);
    for n in 0..200 {
        let found = fs::read(directory.path().join(n.to_string()));
        assert!(found.expect("a file") == content(n), "{n}");
    }
}

/// A future that nobody polls must not keep others from the disk.
#[tokio::test]
async fn t_x8_saves_that_are_not_polled_hold_no_place() {
    let directory = directory();
    let mut kept = Vec::new();
    for n in 0..100 {
        let (writer, reader) = tokio::io::duplex(100);
        let file = File::from_reader(n.to_string(), 8, reader);
        let mut save = file.save_in(directory.path()).into_future();
        assert!(crate::support::is_pending(&mut save).await);
        kept.push((writer, save));
    }
    let saved = File::from_bytes("a.txt", "content").save_in(directory.path());
    assert_eq!(saved.await.expect("saved").size, 7);
    drop(kept);
    while names(directory.path()) != ["a.txt"] {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn t_x9_only_the_owner_may_read_and_write_a_saved_file() {
    let directory = directory();
    let mut uploads = Uploads::saving_in(directory.path()).await;
    let (request, writer) = uploads.half_a_file("a.txt").await;
    let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o7777;
    let temporary = directory.path().join(&names(directory.path())[0]);
    assert_eq!(mode(&temporary), 0o600);
    other_half(writer).await;
    assert_eq!(code_of(request).await, 0);
    let saved = uploads.result().await.expect("saved");
    assert_eq!(mode(&saved.path), 0o600);
    answers_ping(&uploads.connection).await;
}
