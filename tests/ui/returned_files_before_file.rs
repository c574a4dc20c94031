use sockety::{File, service};

#[service]
pub trait Media {
    async fn get(&self) -> (Vec<File>, File);
}

fn main() {}
