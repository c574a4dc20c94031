//! Headers that are split, have files or are invalid: the machine decodes them part by part.

use super::body::Body;
use super::channels::Channel;
use super::machine::{Found, Machine, Reading, announce};
use super::partial_head::{Known, Part, PartialHead, Stage};
use crate::head::identity::Identity;
use crate::head::layout::{FilePart, Prefix, Sizes, Text};
use crate::reader::Reader;
use crate::uint;
use crate::{Event, FileHeader, FileIndex, Measure, RefusalReason, Violation};

impl Machine {
    /// Continues in a packet with a piece of a header, of which `left` bytes remain.
    pub(super) fn header<'i>(&mut self, left: u32, input: &mut &'i [u8]) -> Found<'i> {
        let Channel::Head(mut head) = self.channels.take(self.channel) else {
            return Err(self.no_message(left));
        };
        let (piece, _) = input.split_at(uint::index(left).min(input.len()));
        let mut rest = piece;
        let held = head.held();
        let dropped = head.drop_text(&mut rest);
        let part = match dropped {
            // The dropped text may have been the end of the header.
            true if !head.is_whole() => head.take_part(&mut rest, &self.limits),
            true | false => Part::Incomplete,
        };
        let taken = piece.len().saturating_sub(rest.len());
        *input = input.get(taken..).unwrap_or_default();
        let left = left.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
        self.reading = Reading::Header { left };
        self.hold(held, head.held())?;
        match part {
            Part::Incomplete if head.is_whole() => self.settle(head).map(|()| None),
            Part::Incomplete => {
                self.await_header(head, left)?;
                Ok(None)
            }
            Part::Direct(part) if head.is_refused() => self.on_dropped_part(head, part),
            Part::Held(part) if head.is_refused() => self.on_dropped_part(head, &part),
            Part::Direct(part) => self.on_announced_part(head, part).map(Some),
            Part::Held(part) => {
                self.channels.put(self.channel, Channel::Head(head));
                self.reading = Reading::Part { part, left };
                Ok(None)
            }
        }
    }

    /// Takes a part of a header that was split and is complete now, to be passed to
    /// [`on_part`](Self::on_part).
    #[inline]
    pub(super) fn take_part(&mut self) -> Option<Vec<u8>> {
        let Reading::Part { part, left } = &mut self.reading else {
            return None;
        };
        let (part, left) = (core::mem::take(part), *left);
        self.reading = Reading::Header { left };
        Some(part)
    }

    pub(super) fn on_part<'b>(&mut self, part: &'b [u8]) -> Found<'b> {
        let event = match self.channels.take(self.channel) {
            Channel::Head(head) => self.on_announced_part(head, part),
            Channel::Idle | Channel::Body(_) => Err(self.no_message(0)),
        };
        if let Err(violation) = event {
            self.reading = Reading::Failed(violation);
        }
        event.map(Some)
    }

    fn await_header(&mut self, mut head: Box<PartialHead>, left: u32) -> Result<(), Violation> {
        if left == 0 {
            self.reading = Reading::Packet;
            let held = head.held();
            head.hold_metadata();
            self.hold(held, head.held())?;
        }
        self.channels.put(self.channel, Channel::Head(head));
        Ok(())
    }

    // r[impl limits.held]
    pub(super) fn hold(&mut self, before: usize, after: usize) -> Result<(), Violation> {
        self.held = self.held.saturating_sub(before).saturating_add(after);
        if self.held <= self.limits.held_header_bytes() {
            return Ok(());
        }
        Err(Violation::HeldHeaders {
            held: uint::wide(self.held),
            limit: uint::wide(self.limits.held_header_bytes()),
        })
    }

    /// Decodes a part, which results in an event or a refusal.
    fn on_announced_part<'b>(
        &mut self,
        mut head: Box<PartialHead>,
        part: &'b [u8],
    ) -> Result<Event<'b>, Violation> {
        head.on_bytes(part.len());
        let event = match &head.stage {
            Stage::Files { .. } => self.on_file_header(&mut head, part)?,
            Stage::Prefix | Stage::Sizes { .. } => self.on_prefix(&mut head, part)?,
        };
        self.settle(head)?;
        Ok(event)
    }

    /// Decodes a part of a refused header, only to find out where the header ends.
    fn on_dropped_part<'i>(&mut self, mut head: Box<PartialHead>, part: &[u8]) -> Found<'i> {
        head.on_bytes(part.len());
        match head.stage {
            Stage::Sizes { known, .. } => self.on_sizes(&mut head, known, part)?,
            Stage::Prefix | Stage::Files { .. } => {
                self.take_file_header(&mut head, part)?;
            }
        }
        // r[impl limits.abuse]
        if head.is_abuse(&self.limits) {
            return Err(head.abuse(self.channel));
        }
        self.settle(head)?;
        Ok(None)
    }

    // r[impl head.announce]
    fn on_prefix<'b>(
        &mut self,
        head: &mut PartialHead,
        part: &'b [u8],
    ) -> Result<Event<'b>, Violation> {
        let channel = self.channel;
        let prefix = Prefix::decode(
            head.kind,
            &mut Reader::new(part),
            self.limits.action_bytes(),
        );
        let prefix = prefix.ok_or_else(|| head.abuse(channel))?;
        self.held = self.held.saturating_sub(head.take_metadata());
        if prefix.flags.has_reserved_bits(head.kind) {
            self.on_reserved_bits(prefix.flags.byte())?;
        }
        let identity = Identity {
            id: prefix.id,
            parent: prefix.parent,
            expects_response: head.opening.expects_response,
        };
        let mut known = None;
        let read = match prefix.action {
            Text::TooLong { length } => {
                let flags = prefix.flags;
                head.drop_action(Known { flags, identity }, length);
                let limit = uint::wide(self.limits.action_bytes());
                Err(too_large(Measure::Action, length.into(), limit))
            }
            Text::Whole(action) => {
                let body = Body::new(
                    prefix.sizes,
                    head.opening.has_stream,
                    identity,
                    &self.limits,
                );
                head.await_files(body, identity);
                // r[impl text.utf8]
                let text = std::str::from_utf8(action).map_err(|_| RefusalReason::BadAction);
                known = text.ok().filter(|_| identity.parent.is_none());
                self.excess(prefix.sizes, head.bytes).map_or(text, Err)
            }
        };
        Ok(match read {
            Ok(action) => announce(channel, head.number, head.opening, &prefix, action),
            Err(reason) => {
                head.refuse();
                let refusal = identity.refusal(reason);
                Event::Refused {
                    channel,
                    action: known,
                    number: Some(head.number),
                    refusal,
                }
            }
        })
    }

    /// Decodes the sizes after an action that was dropped.
    fn on_sizes(
        &mut self,
        head: &mut PartialHead,
        known: Known,
        part: &[u8],
    ) -> Result<(), Violation> {
        let sizes = Sizes::decode(known.flags, &mut Reader::new(part));
        let sizes = sizes.ok_or_else(|| head.abuse(self.channel))?;
        let body = Body::new(sizes, head.opening.has_stream, known.identity, &self.limits);
        head.await_files(body, known.identity);
        head.refuse();
        Ok(())
    }

    fn on_file_header<'b>(
        &mut self,
        head: &mut PartialHead,
        part: &'b [u8],
    ) -> Result<Event<'b>, Violation> {
        let channel = self.channel;
        let (index, file) = self.take_file_header(head, part)?;
        let refusal = match self.read_file_header(head, index, file) {
            Ok(header) => {
                return Ok(Event::FileHeader {
                    channel,
                    index,
                    header,
                });
            }
            Err(reason) => head.identity().map(|identity| identity.refusal(reason)),
        };
        head.refuse();
        match refusal {
            Some(refusal) => Ok(Event::Refused {
                channel,
                action: None,
                number: None,
                refusal,
            }),
            None => Err(head.abuse(channel)),
        }
    }

    /// Decodes and counts a file header.
    fn take_file_header<'b>(
        &mut self,
        head: &mut PartialHead,
        part: &'b [u8],
    ) -> Result<(FileIndex, FilePart<'b>), Violation> {
        let mut reader = Reader::new(part);
        let file = FilePart::decode(&mut reader, head.max_name(&self.limits));
        let file = file.ok_or_else(|| head.abuse(self.channel))?;
        // r[impl head.file.reserved]
        if file.flags.has_reserved_bits() {
            self.on_reserved_bits(file.flags.byte())?;
        }
        // If the message was refused while the name arrived, a part of the name is here already.
        let index = head.on_file_header(&file, reader.rest().len());
        Ok((index, file))
    }

    fn read_file_header<'b>(
        &self,
        head: &mut PartialHead,
        index: FileIndex,
        file: FilePart<'b>,
    ) -> Result<FileHeader<'b>, RefusalReason> {
        let limits = &self.limits;
        let header_limit = uint::wide(limits.header_bytes());
        if head.bytes > header_limit {
            return Err(too_large(Measure::Header, head.bytes, header_limit));
        }
        if file.size > limits.file_size() {
            return Err(too_large(Measure::FileSize, file.size, limits.file_size()));
        }
        let files = head.body_mut().and_then(|body| body.files_mut());
        if let Some(reason) = files.and_then(|files| files.mismatch()) {
            return Err(reason);
        }
        match file.name {
            Text::TooLong { length } => {
                let limit = uint::wide(limits.file_name_bytes());
                Err(too_large(Measure::FileName, length.into(), limit))
            }
            Text::Whole(name) => Ok(FileHeader {
                size: file.size,
                name: std::str::from_utf8(name)
                    .map_err(|_| RefusalReason::BadFileName { index })?,
            }),
        }
    }

    /// Puts the head back, or its body if the header is complete.
    // r[impl content.end]
    fn settle(&mut self, head: Box<PartialHead>) -> Result<(), Violation> {
        let channel = self.channel;
        let body = match head.into_body() {
            Ok(body) => body,
            Err(head) => {
                self.channels.put(channel, Channel::Head(head));
                return Ok(());
            }
        };
        // r[impl head.trailing]
        if let Reading::Header { left: bytes @ 1.. } = self.reading {
            return Err(Violation::HeaderTrailing { channel, bytes });
        }
        self.reading = match body.is_refused() && body.is_done() {
            true => Reading::Ended(channel),
            false => Reading::Packet,
        };
        if !body.is_done() {
            self.channels.put(channel, Channel::Body(body));
        }
        Ok(())
    }
}

// r[impl limits.refuse]
fn too_large(what: Measure, size: u64, limit: u64) -> RefusalReason {
    RefusalReason::TooLarge { what, size, limit }
}
