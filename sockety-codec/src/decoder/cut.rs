use crate::packet::Packet;

/// The first bytes of a packet, or of the connection header, at the end of the input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    bytes: [u8; Packet::MAX_LENGTH],
    length: u8,
}

impl Cut {
    /// Takes bytes from the front of `input` until it holds `length`, or the input is empty.
    pub(super) fn fill(&mut self, input: &mut &[u8], length: usize) {
        while self.length() < length {
            let Some((byte, rest)) = input.split_first() else {
                return;
            };
            self.push(*byte);
            *input = rest;
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length()).unwrap_or_default()
    }

    pub(super) fn length(&self) -> usize {
        self.length.into()
    }
}
