use sockety::ServiceError;

#[derive(ServiceError)]
pub union MediaError {
    a: u8,
    b: i8,
}

impl std::fmt::Debug for MediaError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MediaError")
    }
}

impl serde::Serialize for MediaError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> serde::Deserialize<'de> for MediaError {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self { a: 0 })
    }
}

fn main() {}
