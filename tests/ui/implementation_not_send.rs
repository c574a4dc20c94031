use std::rc::Rc;

use sockety::service;

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
}

struct Store;

impl Media for Store {
    async fn get(&self, id: u64) -> u64 {
        let id = Rc::new(id);
        std::future::ready(()).await;
        *id
    }
}

fn main() {}
