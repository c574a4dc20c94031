//! What must hold of the events of any input, whatever it is.

use std::collections::BTreeMap;

use sockety_codec::RefusalReason;

use crate::{Extended, Said};

/// What is in progress on each channel, as the events tell.
#[derive(Default)]
pub(crate) struct Order {
    open: BTreeMap<u16, Open>,
    greeted: bool,
}

struct Open {
    refused: bool,
    payload_left: u64,
    stream_open: bool,
    /// Announced, all together.
    files: u32,
    files_size: u64,
    /// What is left of each file whose header came; nothing after its end.
    left: Vec<Option<u64>>,
    sum: u64,
}

impl Order {
    /// Fails when the events cannot be those of a decoder.
    pub(crate) fn check(events: &[Said]) {
        let mut order = Self::default();
        for event in events {
            order.next(event);
        }
    }

    fn next(&mut self, event: &Said) {
        let is_header = matches!(event, Said::Header { .. });
        assert_ne!(is_header, self.greeted, "the connection header is first");
        self.greeted = true;
        let Some(channel) = event.channel() else {
            return;
        };
        match event {
            Said::Head {
                has_stream,
                payload,
                files,
                files_size,
                ..
            } => {
                let is_open = *has_stream || *payload > 0 || *files > 0;
                let open = Open {
                    refused: false,
                    payload_left: *payload,
                    stream_open: *has_stream,
                    files: *files,
                    files_size: *files_size,
                    left: Vec::new(),
                    sum: 0,
                };
                assert!(!self.open.contains_key(&channel), "{channel} is busy");
                if is_open {
                    self.open.insert(channel, open);
                }
            }
            Said::Refused { reason, .. } => self.refuse(channel, reason),
            Said::Abort { .. } => drop(self.open.remove(&channel).expect("something is open")),
            Said::End { .. } => self.open.remove(&channel).expect("something is open").end(),
            content => {
                let open = self.open.get_mut(&channel).expect("something is open");
                open.content(content);
            }
        }
    }

    fn refuse(&mut self, channel: u16, reason: &RefusalReason) {
        let open = self.open.entry(channel).or_insert(Open {
            refused: false,
            payload_left: 0,
            stream_open: false,
            files: 0,
            files_size: 0,
            left: Vec::new(),
            sum: 0,
        });
        assert!(!open.refused, "refused twice: {reason}");
        open.refused = true;
    }
}

impl Open {
    fn content(&mut self, event: &Said) {
        assert!(!self.refused, "{event:?} of a refused message");
        match event {
            Said::FileHeader { index, size, .. } => {
                assert_eq!(u64::from(*index), self.left.len() as u64);
                assert!(*index < self.files);
                self.sum += size;
                assert!(self.sum <= self.files_size);
                self.left.push(Some(*size));
            }
            Said::Data {
                bytes, remaining, ..
            } => {
                assert!(!bytes.is_empty());
                self.payload_left -= bytes.len() as u64;
                assert_eq!(self.payload_left, *remaining);
            }
            Said::Stream { bytes, .. } => assert!(self.stream_open && !bytes.is_empty()),
            Said::StreamEnd { .. } => {
                assert!(self.stream_open);
                self.stream_open = false;
            }
            Said::File { index, bytes, .. } => {
                assert!(!bytes.is_empty());
                let left = self.file(*index).as_mut().expect("it has not ended");
                *left = left
                    .checked_sub(bytes.len() as u64)
                    .expect("no more than announced");
            }
            Said::FileEnd { index, missing, .. } => {
                assert_eq!(self.file(*index).take(), Some(*missing));
            }
            Said::Extension(Extended::Status { .. }) => {}
            other => panic!("{other:?} is no content"),
        }
    }

    fn file(&mut self, index: u32) -> &mut Option<u64> {
        let at = usize::try_from(index).expect("it fits");
        self.left.get_mut(at).expect("it was announced")
    }

    fn end(self) {
        if self.refused {
            return;
        }
        assert_eq!(self.payload_left, 0);
        assert!(!self.stream_open);
        assert_eq!(self.left.len() as u64, u64::from(self.files));
        assert_eq!(self.sum, self.files_size);
        assert!(
            self.left.iter().all(Option::is_none),
            "files end before the message"
        );
    }
}
