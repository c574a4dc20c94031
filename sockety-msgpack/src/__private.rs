//! What the crate `sockety` needs in addition to the public API. It may change in any version.

pub use crate::decode::read_whole;
pub use crate::encode::{encode_map_head, encode_measured, encode_name};
pub use crate::entries::{AliasedEntry, Entries, Entry, missing, read_entries};
pub use crate::error::Error;
pub use crate::escaped::escaped;
pub use crate::extension::is_service_error;
pub use crate::reader::{Reader, read};
pub use crate::service_error::{ServiceErrorParts, decode_service_error, encode_service_error};
