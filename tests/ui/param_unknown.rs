use sockety::service;

#[service]
pub trait Media {
    async fn find(&self, #[param(rename = "text")] title: String, year: u16);
}

fn main() {}
