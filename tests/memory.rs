//! A large file takes little memory while it is transferred. A separate binary, because it counts
//! what the whole process allocates.

use std::fs::File as DiskFile;
use std::io::Write;
use std::path::PathBuf;

use peak_alloc::PeakAlloc;
use sockety::{
    FastReply, File, Router,
    message::Draft,
    pair,
    serve::{Message, MessageHandler},
};
use tokio::io::AsyncWriteExt;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1024 * 1024;

const FILE_BYTES: usize = 256 * MIB;

/// A window that has grown to 4 MiB, what is being sent, and what each thread keeps to use again.
const HEAP_BYTES: usize = 12 * MIB;

/// A file of the test's own; removed when dropped.
struct OnDisk(PathBuf);

impl OnDisk {
    fn new(name: &str) -> Self {
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    /// Fills it with a block of bytes that differ, over and over.
    fn fill(&self) {
        let mut file = DiskFile::create(&self.0).expect("created");
        let block: Vec<u8> = (0..MIB).map(|at| ((at * 31) >> 5) as u8).collect();
        for _ in 0..FILE_BYTES / MIB {
            file.write_all(&block).expect("written");
        }
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Saves the file of each message `save`.
fn saving(path: PathBuf) -> MessageHandler {
    MessageHandler::new().action("save", move |message: Message| {
        let path = path.clone();
        async move {
            let mut file = message.take_files().pop().expect("a file");
            let mut saved = tokio::fs::File::create(path).await?;
            while let Some(chunk) = file.next_chunk().await? {
                saved.write_all(&chunk).await?;
            }
            saved.flush().await?;
            Ok::<_, std::io::Error>(FastReply::ACCEPT)
        }
    })
}

fn same_content(one: &OnDisk, other: &OnDisk) -> bool {
    let read = |file: &OnDisk| std::io::BufReader::new(DiskFile::open(&file.0).expect("opened"));
    let (mut one, mut other) = (read(one), read(other));
    let mut blocks = [vec![0; MIB], vec![0; MIB]];
    for _ in 0..FILE_BYTES / MIB {
        let [first, second] = &mut blocks;
        std::io::Read::read_exact(&mut one, first).expect("as long as the other");
        std::io::Read::read_exact(&mut other, second).expect("as long as the other");
        if first != second {
            return false;
        }
    }
    true
}

#[test]
fn a_large_file_goes_from_disk_to_disk_in_little_memory() {
    let (original, copy) = (OnDisk::new("original.bin"), OnDisk::new("copy.bin"));
    original.fill();
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (near, _far) = pair(Router::new(), saving(copy.0.clone()))
            .await
            .expect("two connections");
        let file = File::open(&original.0).await.expect("it exists");
        assert_eq!(file.size(), FILE_BYTES as u64);
        let message = Draft::new("save").create().with_file(file);
        let mut request = near.send(message).await.expect("sent");
        let reply = request.response().await.expect("a reply");
        assert_eq!(reply.code(), Some(FastReply::ACCEPT));
    });
    let peak = HEAP.peak_usage() - before;
    assert!(peak < HEAP_BYTES, "{} KiB", peak / 1024);
    assert!(same_content(&original, &copy));
}
