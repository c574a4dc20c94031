use sockety::service;

#[service]
pub trait Media {
    async fn get(&self, id: u64) -> String;
}

async fn title(media: &impl Media) -> String {
    media.get(7).await
}

async fn call(client: MediaClient) {
    title(&client).await;
}

fn main() {}
