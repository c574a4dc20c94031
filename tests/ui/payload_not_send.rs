use sockety::service;

pub struct Local(std::rc::Rc<u64>);

impl serde::Serialize for Local {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Local {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|value| Self(value.into()))
    }
}

#[service]
pub trait Media {
    async fn get(&self, id: Local) -> Local;
}

fn main() {}
