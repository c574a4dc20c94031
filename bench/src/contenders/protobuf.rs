//! Messages of the contenders that speak protobuf, by prost's derive.

use bytes::Bytes;
use prost::Message;

use crate::payloads::Record;

#[derive(Clone, PartialEq, Message)]
pub struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub struct Total {
    #[prost(uint64, tag = "1")]
    pub bytes: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Records {
    #[prost(message, repeated, tag = "1")]
    pub records: Vec<Record>,
}
