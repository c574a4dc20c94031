//! Packets of the negotiated extension. None of this runs on a connection without it, and nothing
//! but a counter for each message on one with it.
//!
//! ```text
//! First ── Settings ──▶ Packet ── type 1111 ──▶ ExtensionSize ──▶ Extension ──▶ Packet
//!                                                                     │
//!                          content that belongs to the next packet    ├──▶ AfterMetadata
//!                                                                     └──▶ AfterStatus
//! ```

use super::cut::Cut;
use super::machine::{Found, Machine, Reading, count};
use crate::extension::{Cancels, FlowEntries, Kind, Leave, Settings, Status, control, malformed};
use crate::packet::Packet;
use crate::reader::Reader;
use crate::uint::{self, PACKET_SIZE};
use crate::{ChannelCount, ChannelId, ConnectionHeader, Event, Violation};

/// What a decoder knows of the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    /// This side does not offer it.
    Off,
    /// It does, and the peer's header is not here yet.
    Offered,
    /// Both offer it.
    Active,
}

/// What may follow Metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    /// A switch, or what it belongs to.
    Allowed,
    /// The second byte of the switch.
    Cut(u8),
    /// Only what it belongs to.
    Done,
}

/// What to do with the content of a packet that is complete.
enum Step {
    /// It is an event.
    Event,
    /// It has no effect.
    Skip,
    /// It belongs to a packet that has to come first.
    Wait,
}

impl Machine {
    // r[impl ext.offer]
    // r[impl ext.settings.first]
    pub(super) fn on_connection_header(&mut self, header: ConnectionHeader) {
        let is_offered = self.extension == Extension::Offered;
        let is_active = is_offered && header.offers_extension;
        if is_offered {
            let channels = match is_active {
                true => self.limits.channels().max(ChannelCount::LEAST_EXTENDED),
                // A peer without the extension knows only what the offer says.
                false => ChannelCount::OFFER,
            };
            self.limits = self.limits.max_channels(channels);
        }
        self.extension = match is_active {
            true => Extension::Active,
            false => Extension::Off,
        };
        self.reading = match is_active {
            true => Reading::First,
            false => Reading::Packet,
        };
    }

    /// At the first byte of the first packet of a peer with the extension.
    // r[impl ext.settings.first]
    pub(super) fn first<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(None);
        };
        // Reserved bits do not matter for a packet of another type.
        if byte >> 4 != 0xF || byte & 0b11 != 0 {
            return Err(Violation::SettingsMissing { byte });
        }
        *input = rest;
        self.on_extension(byte, input)
    }

    /// A packet of type 1111, of which the first byte was taken.
    // r[impl ext.inactive]
    // r[impl packet.unknown]
    #[cold]
    pub(super) fn on_extension<'i>(&mut self, first: u8, input: &mut &'i [u8]) -> Found<'i> {
        if self.extension != Extension::Active {
            return Err(Violation::UnknownPacket { byte: first });
        }
        let kind = Kind::of(first)?;
        let width = PACKET_SIZE.width(first >> 2);
        self.extension_size(kind, width, Cut::default(), input)
    }

    /// Reads the size of a packet.
    pub(super) fn extension_size<'i>(
        &mut self,
        kind: Kind,
        width: u8,
        mut cut: Cut,
        input: &mut &'i [u8],
    ) -> Found<'i> {
        cut.fill(input, width.into());
        let Some(size) = Reader::new(cut.bytes()).u32(width) else {
            self.reading = Reading::ExtensionSize { kind, width, cut };
            return Ok(None);
        };
        // r[impl ext.packet.bound]
        let limit = kind.max_content(self.limits.metadata_bytes());
        if size > limit {
            let packet = kind.name();
            return Err(Violation::ExtensionTooLarge {
                packet,
                size,
                limit,
            });
        }
        if size == 0 {
            return self.on_empty_extension();
        }
        let Some((content, rest)) = input.split_at_checked(uint::index(size)) else {
            let content = Vec::new();
            self.reading = Reading::Extension {
                kind,
                left: size,
                content,
            };
            return self.extension_content(input);
        };
        *input = rest;
        self.reading = Reading::Packet;
        self.cut_age = 0;
        match self.apply(kind, content)? {
            Step::Event => self.extension_event(kind, content).map(Some),
            Step::Skip => Ok(None),
            Step::Wait => self.after_metadata_in(content, input),
        }
    }

    // r[impl ext.packet.empty]
    fn on_empty_extension<'i>(&mut self) -> Found<'i> {
        if self.is_first {
            return Err(Violation::SettingsMissing { byte: 0xF0 });
        }
        self.reading = Reading::Packet;
        self.cut_age = 0;
        self.on_empty()
    }

    /// Continues in the content of a packet that came in several pieces.
    ///
    /// It does not count as part of a header (`limits.held`): there is only one at a time, its size
    /// was checked, and a packet that is legal in one piece is legal in several.
    pub(super) fn extension_content<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        let Reading::Extension {
            kind,
            left,
            content,
        } = &mut self.reading
        else {
            return Ok(None);
        };
        let (piece, rest) = input.split_at(uint::index(*left).min(input.len()));
        content.extend_from_slice(piece);
        *input = rest;
        *left = left.saturating_sub(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        let kind = *kind;
        if *left > 0 {
            return Ok(None);
        }
        self.cut_age = 0;
        let Reading::Extension { content, .. } =
            std::mem::replace(&mut self.reading, Reading::Packet)
        else {
            return Ok(None);
        };
        let step = self.apply(kind, &content)?;
        self.reading = match step {
            Step::Event if matches!(self.reading, Reading::AfterStatus) => {
                Reading::HeldStatus { content }
            }
            Step::Event => Reading::Held { kind, content },
            Step::Skip => return Ok(None),
            Step::Wait => Reading::AfterMetadata {
                content,
                switch: Switch::Allowed,
            },
        };
        Ok(None)
    }

    /// Takes content that was held, to be passed to [`on_held`](Self::on_held).
    pub(super) fn take_held(&mut self) -> Option<(Kind, Vec<u8>)> {
        match std::mem::replace(&mut self.reading, Reading::Packet) {
            Reading::Held { kind, content } => Some((kind, content)),
            Reading::HeldStatus { content } => {
                self.reading = Reading::AfterStatus;
                Some((Kind::Control, content))
            }
            reading => {
                self.reading = reading;
                None
            }
        }
    }

    /// The event of content that was held: it was checked when it was complete.
    pub(super) fn on_held<'b>(&mut self, kind: Kind, content: &'b [u8]) -> Found<'b> {
        self.extension_event(kind, content).map(Some)
    }

    /// Checks content, and notes what it changes for the packets that follow.
    fn apply(&mut self, kind: Kind, content: &[u8]) -> Result<Step, Violation> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let control = content.first().copied().filter(|_| kind == Kind::Control);
        // r[impl ext.settings.first]
        match control {
            Some(control::SETTINGS) if !is_first => return Err(Violation::SettingsAgain),
            Some(control::SETTINGS) => {}
            _ if is_first => {
                let byte = kind.first();
                return Err(Violation::SettingsMissing { byte });
            }
            _ => {}
        }
        match control {
            None if kind == Kind::Metadata => return Ok(Step::Wait),
            // r[impl ext.leave.done]
            Some(control::DONE) => self.is_done = true,
            Some(control::STATUS) => {
                let channel = self.channel;
                // r[impl ext.status]
                if self.channels.is_idle(channel) {
                    return Err(Violation::StatusWithoutMessage { channel });
                }
                self.extension_event(kind, content)?;
                self.reading = Reading::AfterStatus;
                // Nobody asks why a message ends that is refused, or was not announced.
                let body = self.channels.body(channel);
                return Ok(match body.is_some_and(|body| !body.is_refused()) {
                    true => Step::Event,
                    false => Step::Skip,
                });
            }
            // r[impl ext.control.unknown]
            Some(kind) if kind > control::STATUS => {
                if kind >= control::CRITICAL {
                    return Err(Violation::ControlKind { kind });
                }
                count(&mut self.tolerated.unknown_controls);
                return Ok(Step::Skip);
            }
            _ => {}
        }
        match self.extension_event(kind, content)? {
            Event::Cancel(numbers) => self.on_cancels(numbers)?,
            Event::Leave(leave) => self.on_leave(&leave)?,
            _ => {}
        }
        Ok(Step::Event)
    }

    // r[impl ext.leave.taken]
    fn on_leave(&mut self, leave: &Leave<'_>) -> Result<(), Violation> {
        let taken = leave.taken.unwrap_or(uint::U48_MAX);
        let most = core::mem::replace(&mut self.taken, taken);
        match taken > most {
            true => Err(Violation::LeaveTaken { taken, most }),
            false => Ok(()),
        }
    }

    // r[impl ext.cancel.count]
    fn on_cancels(&mut self, numbers: Cancels<'_>) -> Result<(), Violation> {
        let count = u64::try_from(numbers.count()).unwrap_or(u64::MAX);
        let (cancels, requests) = (self.cancels.saturating_add(count), self.requests);
        if cancels > requests {
            return Err(Violation::Cancels { cancels, requests });
        }
        self.cancels = cancels;
        Ok(())
    }

    fn extension_event<'b>(
        &mut self,
        kind: Kind,
        content: &'b [u8],
    ) -> Result<Event<'b>, Violation> {
        Ok(match kind {
            Kind::Flow => Event::Flow(FlowEntries::decode(content)?),
            Kind::Metadata => {
                self.described_bytes = content.len();
                let number = self.described;
                Event::Metadata { number, content }
            }
            Kind::Control => {
                let Some((&control, content)) = content.split_first() else {
                    return Err(malformed("Control"));
                };
                match control {
                    control::SETTINGS => Event::Settings(Settings::decode(content)?),
                    control::CANCEL => Event::Cancel(Cancels::decode(content, self.begun)?),
                    control::LEAVE => Event::Leave(Leave::decode(content)?),
                    control::DONE => match content {
                        [] => Event::Done,
                        _ => return Err(malformed("Done")),
                    },
                    control::PING => Event::Ping(eight(content).ok_or(malformed("Ping"))?),
                    control::PONG => Event::Pong(eight(content).ok_or(malformed("Pong"))?),
                    _ => Event::Status {
                        channel: self.channel,
                        status: Status::decode(content)?,
                    },
                }
            }
        })
    }

    /// After Metadata that is still in the input, if what it belongs to is there as well: nearly
    /// always. Otherwise it is copied.
    // r[impl ext.meta.place]
    fn after_metadata_in<'i>(&mut self, content: &'i [u8], input: &mut &'i [u8]) -> Found<'i> {
        let mut switch = Switch::Allowed;
        loop {
            match self.after_metadata_step(&mut switch, input)? {
                None => {
                    self.reading = Reading::AfterMetadata {
                        content: content.to_vec(),
                        switch,
                    };
                    return Ok(None);
                }
                Some(false) => {}
                Some(true) => {
                    self.reading = Reading::Packet;
                    return self.extension_event(Kind::Metadata, content).map(Some);
                }
            }
        }
    }

    /// After Metadata that was copied.
    pub(super) fn after_metadata<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        let Reading::AfterMetadata { mut switch, .. } = self.reading else {
            return Ok(None);
        };
        while let Some(is_owner) = self.after_metadata_step(&mut switch, input)? {
            if is_owner {
                let reading = std::mem::replace(&mut self.reading, Reading::Packet);
                if let Reading::AfterMetadata { content, .. } = reading {
                    let kind = Kind::Metadata;
                    self.reading = Reading::Held { kind, content };
                }
                self.cut_age = 0;
                return Ok(None);
            }
        }
        if let Reading::AfterMetadata { switch: place, .. } = &mut self.reading {
            *place = switch;
        }
        Ok(None)
    }

    /// Returns whether what the metadata belongs to is next, whose bytes are left in the input; a
    /// switch is taken. `None` if the input has ended.
    fn after_metadata_step(
        &mut self,
        switch: &mut Switch,
        input: &mut &[u8],
    ) -> Result<Option<bool>, Violation> {
        let Some((&byte, rest)) = input.split_first() else {
            return Ok(None);
        };
        if let Switch::Cut(first) = *switch {
            *input = rest;
            *switch = Switch::Done;
            self.on_switch(ChannelId::from_parts(first, byte), false)?;
            return Ok(Some(false));
        }
        match byte >> 4 {
            0x2 | 0x5 => self.described = Some(self.begun),
            0x3 | 0x4 => self.described = None,
            0x0 if *switch == Switch::Allowed => {
                *input = rest;
                *switch = Switch::Done;
                self.on_switch(ChannelId::from_parts(0, byte), false)?;
                return Ok(Some(false));
            }
            0x1 if *switch == Switch::Allowed => {
                *input = rest;
                *switch = Switch::Cut(byte);
                return Ok(Some(false));
            }
            _ => return Err(Violation::MetadataPlace { byte }),
        }
        Ok(Some(true))
    }

    /// Only the end of a stream and an abort may follow a status.
    // r[impl ext.status]
    pub(super) fn after_status<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        let Some(&byte) = input.first() else {
            return Ok(None);
        };
        if !matches!(byte >> 4, 0x8 | 0x9) {
            return Err(Violation::StatusPlace { byte });
        }
        self.reading = Reading::Packet;
        debug_assert_eq!(Packet::length(byte), 1);
        Ok(None)
    }
}

fn eight(content: &[u8]) -> Option<[u8; 8]> {
    content.try_into().ok()
}
