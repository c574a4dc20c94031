use sockety::service;

#[service]
pub trait Media {
    async fn find(&self, #[param(alias = ["year"])] title: String, year: u16);
}

fn main() {}
