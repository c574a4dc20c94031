//! Generated code allows nothing that a crate may forbid, whether the service is used or not.
#![forbid(dead_code, deprecated, unused, warnings)]

use sockety::{ByteStream, Context, File, Streaming};

#[sockety::service]
pub trait Media {
    async fn title(&self, id: u64) -> String;
    #[deprecated = "use `title`"]
    async fn name(&self, cx: &Context, id: u64, short: bool) -> String;
    #[deprecated]
    #[action(one_way)]
    async fn track(&self, id: u64);
    #[deprecated]
    async fn upload(&self, video: File, words: Streaming<String>) -> (u64, ByteStream);
}

#[sockety::service]
#[deprecated = "use `Media`"]
pub trait Old {
    async fn title(&self, id: u64) -> String;
    #[deprecated]
    #[action(one_way)]
    async fn track(&self, id: u64);
    async fn upload(&self, video: File, words: Streaming<String>) -> (u64, ByteStream);
}

mod unused {
    #[sockety::service]
    trait Private: std::fmt::Debug {
        async fn title(&self, id: u64) -> String;
        #[deprecated]
        async fn old(&self) {}
    }
}

fn main() {}
