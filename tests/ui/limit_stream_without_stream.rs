use sockety::{File, service};

#[service]
trait Media {
    #[action(limit(stream = "1 MiB"))]
    async fn store(&self, clip: File);
}

fn main() {}
