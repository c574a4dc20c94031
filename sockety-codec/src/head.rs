//! Headers of messages, responses and files.

mod file_header;
mod files_summary;
pub(crate) mod identity;
pub(crate) mod layout;
mod message_head;
mod response_head;

pub use file_header::FileHeader;
pub use files_summary::FilesSummary;
pub use message_head::MessageHead;
pub use response_head::ResponseHead;
