//! The cases, a file for each section. They are numbered by position, so a new case goes to the end
//! of its section.

use crate::case::Section;

mod abort;
mod closing;
mod connection_header;
mod content_of_files;
mod continued;
mod data;
mod encoding;
mod extension;
mod fast_reply;
mod files_header;
mod message_header;
mod multiplexing;
mod prelude;
mod response;
mod signals;
mod stream;
mod switch_channel;
mod timing;

/// All sections in order.
pub fn all() -> Vec<Section> {
    vec![
        encoding::section(),
        connection_header::section(),
        switch_channel::section(),
        signals::section(),
        message_header::section(),
        files_header::section(),
        response::section(),
        continued::section(),
        fast_reply::section(),
        stream::section(),
        content_of_files::section(),
        data::section(),
        abort::section(),
        multiplexing::section(),
        closing::section(),
        timing::section(),
        extension::section(),
    ]
}
