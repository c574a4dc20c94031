use sockety::service;

mod model {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct File {
        pub name: String,
    }
}

#[service]
pub trait Media {
    async fn list(&self) -> Vec<model::File>;
    async fn rename(&self, file: model::File);
    async fn copy(&self, file: model::File, files: Vec<model::File>) -> model::File;
}

fn main() {}
