use sockety::{File, service};

#[service]
pub trait Media {
    async fn save(&self, title: String, year: u16, #[param(default)] clip: File);
}

fn main() {}
