use sockety::service;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Title(String);

#[service]
pub trait Media {
    async fn find(&self, #[param(default)] title: Title, year: u16);
}

fn main() {}
