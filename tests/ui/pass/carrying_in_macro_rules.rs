//! The types come through the invisible groups of `macro_rules!`, and from another path.

use sockety as facade;

macro_rules! media {
    ($title:ty, $file:ty, $stream:ty, $reply:ty) => {
        #[sockety::service(crate = "facade")]
        trait Media {
            async fn put(&self, title: $title, file: $file, stream: $stream) -> $reply;
            async fn all(&self, title: $title, files: Vec<$file>) -> ($stream, $file);
        }
    };
}

media!(
    String,
    facade::File,
    facade::Streaming<u64>,
    (facade::File, u64)
);

async fn use_all(client: MediaClient, file: fn() -> facade::File) {
    let ids = facade::Streaming::from_iter([1]);
    let _ = client.put(String::new(), file(), ids).await;
    let _ = client.all(String::new(), vec![file()]).await;
}

fn main() {
    let _ = use_all;
}
