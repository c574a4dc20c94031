use sockety::{File, service};

#[service]
pub trait Media {
    #[action(one_way)]
    async fn get(&self) -> File;
}

fn main() {}
