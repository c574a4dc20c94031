use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Handle};

/// Runs `test` with a clock that moves only when nothing else can, and fails when it leaves a task behind.
pub(crate) fn simulate<F: Future<Output = ()>>(test: F) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        test.await;
        no_tasks_are_left().await;
    });
}

/// All tasks end by themselves; a handler may run on after its connection.
async fn no_tasks_are_left() {
    let alive = || Handle::current().metrics().num_alive_tasks();
    for _ in 0..100 {
        if alive() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("{} tasks are left", alive());
}

/// A link in memory that is cut, both ways, when this many bytes have gone one way: those that were on their way are lost.
pub(crate) fn cut_after(
    pipe: usize,
    [to_far, to_near]: [usize; 2],
) -> (DuplexStream, DuplexStream) {
    let (near, mut inner_near) = duplex(pipe);
    let (mut inner_far, far) = duplex(pipe);
    tokio::spawn(async move {
        let (near_read, near_write) = tokio::io::split(&mut inner_near);
        let (far_read, far_write) = tokio::io::split(&mut inner_far);
        tokio::select! {
            () = carry(near_read, far_write, to_far) => {}
            () = carry(far_read, near_write, to_near) => {}
        }
    });
    (near, far)
}

/// Carries this many bytes, or all there are.
async fn carry(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut left: usize,
) {
    let mut buffer = [0; 1024];
    while left > 0 {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let count = read.min(left);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        left -= count;
    }
}
