use sockety::{File, service};
use std::collections::HashMap;

#[service]
pub trait Media {
    async fn put(&self, covers: HashMap<String, File>);
}

fn main() {}
