use sockety::service;

#[service]
#[diagnostic::on_unimplemented(message = "`{Self}` stores no clips")]
pub trait Media {
    async fn get(&self, id: u64) -> u64;
}

struct Store;

fn main() {
    let _ = MediaClient::local(Store);
}
