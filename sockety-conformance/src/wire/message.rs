//! Writing a message or response in any form.

use super::{
    Id, fresh_id,
    head::{ACTION, COUNT, FILE_SIZE, NAME, PAYLOAD, TOTAL},
    packet::{self, SIZE},
    uint,
};

/// A number and the code of the width to write it in; `None` means the smallest.
#[derive(Clone, Copy, Default)]
struct Number {
    value: u64,
    form: Option<usize>,
}

impl Number {
    fn form(self, widths: &[usize]) -> usize {
        self.form
            .unwrap_or_else(|| uint::smallest(widths, self.value))
    }
}

/// A message or response: what its header says, and its content.
///
/// By default the header matches the content and has the smallest forms.
#[derive(Clone, Default)]
pub struct Message {
    /// The id by which replies name it.
    pub id: Id,
    parent: Option<Id>,
    action: Vec<u8>,
    is_action_long: bool,
    expects_reply: bool,
    has_stream: bool,
    reserved: u8,
    payload: Number,
    count: Option<Number>,
    total: Option<Number>,
    files: Vec<File>,
    packet_size: Option<usize>,
    data: Vec<u8>,
}

#[derive(Clone)]
struct File {
    name: Vec<u8>,
    name_form: Option<usize>,
    size: Number,
    content: Vec<u8>,
}

impl Message {
    /// A message that expects a reply.
    pub fn ask(action: impl AsRef<[u8]>) -> Self {
        Self {
            id: fresh_id(true),
            action: action.as_ref().to_vec(),
            expects_reply: true,
            ..Self::default()
        }
    }

    /// A message that expects no reply.
    pub fn tell(action: impl AsRef<[u8]>) -> Self {
        Self {
            expects_reply: false,
            id: fresh_id(false),
            ..Self::ask(action)
        }
    }

    /// A response to `parent` that expects no reply.
    pub fn answer(parent: Id) -> Self {
        Self {
            parent: Some(parent),
            ..Self::tell("")
        }
    }

    /// Makes it expect a reply.
    pub fn expecting(mut self) -> Self {
        self.id = fresh_id(true);
        self.expects_reply = true;
        self
    }

    /// Sets the id.
    pub fn id(mut self, id: Id) -> Self {
        self.id = id;
        self
    }

    /// Writes the length of the action in two bytes.
    pub fn long_action(mut self) -> Self {
        self.is_action_long = true;
        self
    }

    /// Sets reserved bits of the flags.
    pub fn reserved(mut self, bits: u8) -> Self {
        self.reserved = bits;
        self
    }

    /// Announces a stream.
    pub fn stream(mut self) -> Self {
        self.has_stream = true;
        self
    }

    /// Sets the payload, and announces its size.
    pub fn payload(mut self, data: impl AsRef<[u8]>) -> Self {
        self.data = data.as_ref().to_vec();
        self.payload.value = self.data.len() as u64;
        self
    }

    /// Sets the code of the width of the payload size.
    pub fn payload_form(mut self, form: usize) -> Self {
        self.payload.form = Some(form);
        self
    }

    /// Announces a payload of `size` bytes, whatever its content.
    pub fn announced(mut self, size: u64) -> Self {
        self.payload.value = size;
        self
    }

    /// Adds a file, and announces it.
    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let size = content.as_ref().len() as u64;
        self.file_as(None, None, name, size, content)
    }

    /// Announces a file of `size` bytes that has no content.
    pub fn announced_file(self, name: &str, size: u64) -> Self {
        self.file_as(None, None, name, size, [])
    }

    /// Adds a file announced with `size`, with codes for the widths of that size and of the length
    /// of its name.
    pub fn file_as(
        mut self,
        form: Option<usize>,
        name_form: Option<usize>,
        name: impl AsRef<[u8]>,
        size: u64,
        content: impl AsRef<[u8]>,
    ) -> Self {
        self.files.push(File {
            name: name.as_ref().to_vec(),
            name_form,
            size: Number { value: size, form },
            content: content.as_ref().to_vec(),
        });
        self
    }

    /// Sets the code of the width of the number of files.
    pub fn count_form(mut self, form: usize) -> Self {
        let value = self.files.len() as u64;
        self.count = Some(Number {
            value,
            form: Some(form),
        });
        self
    }

    /// Sets the code of the width of the size of all files.
    pub fn total_form(mut self, form: usize) -> Self {
        let value = self.sum();
        self.total = Some(Number {
            value,
            form: Some(form),
        });
        self
    }

    /// Announces `value` as the size of all files, whatever their sum is.
    pub fn total(mut self, value: u64) -> Self {
        self.total = Some(Number { value, form: None });
        self
    }

    /// Sets the code of the width of the packet's size.
    pub fn packet_size(mut self, form: usize) -> Self {
        self.packet_size = Some(form);
        self
    }

    /// The first byte of the packet with the header, without the code of the width of its size.
    pub fn first_byte(&self) -> u8 {
        let kind = if self.parent.is_some() { 0x50 } else { 0x20 };
        kind | u8::from(self.has_stream) << 1 | u8::from(self.expects_reply)
    }

    /// The bytes of the header alone, without a packet around them.
    pub fn head(&self) -> Vec<u8> {
        let files = self.files.len() as u64;
        let count = self.count.unwrap_or(Number {
            value: files,
            form: None,
        });
        let count_form = count.form(&COUNT);
        let total = self.total.unwrap_or_else(|| Number {
            value: self.sum(),
            form: None,
        });
        let total_form = match count_form {
            0 => total.form.unwrap_or(0),
            _ => total.form(&TOTAL),
        };
        let payload_form = self.payload.form(&PAYLOAD);
        let action_form = usize::from(self.is_action_long || self.action.len() > 255);

        let action_bit = if self.parent.is_some() {
            0
        } else {
            action_form
        };
        let flags = payload_form << 6 | count_form << 4 | total_form << 2 | action_bit << 1;
        let mut out = vec![flags as u8 | self.reserved];
        out.extend(self.parent.iter().flatten());
        out.extend(self.id);
        if self.parent.is_none() {
            uint::put(&mut out, self.action.len() as u64, ACTION[action_form]);
            out.extend(&self.action);
        }
        uint::put(&mut out, self.payload.value, PAYLOAD[payload_form]);
        if count_form > 0 {
            uint::put(&mut out, count.value, COUNT[count_form]);
            uint::put(&mut out, total.value, TOTAL[total_form]);
        }
        self.files.iter().for_each(|file| file.head(&mut out));
        out
    }

    /// The packet with the whole header.
    pub fn first(&self) -> Vec<u8> {
        let head = self.head();
        let smallest = uint::smallest(&SIZE, head.len() as u64);
        packet::sized_as(
            self.packet_size.unwrap_or(smallest),
            self.first_byte(),
            &head,
        )
    }

    /// The header cut into pieces of these sizes, and the remainder, each in a packet.
    pub fn pieces(&self, sizes: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
        let head = self.head();
        let mut rest = &head[..];
        let mut pieces = Vec::new();
        let mut add = |piece: &[u8]| {
            let first = if pieces.is_empty() {
                self.first_byte()
            } else {
                0x60
            };
            pieces.push(packet::sized(first, piece));
        };
        for size in sizes {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            add(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        if !rest.is_empty() {
            add(rest);
        }
        pieces
    }

    /// The packets of the payload and of the files.
    pub fn content(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.data.is_empty() {
            out.extend(packet::data(&self.data));
        }
        for (index, file) in (0..).zip(&self.files) {
            if !file.content.is_empty() {
                out.extend(packet::file(index, &file.content));
            }
            out.extend(packet::file_end(index));
        }
        out
    }

    /// The packets of the header, the payload and the files: everything but the stream.
    pub fn bytes(&self) -> Vec<u8> {
        [self.first(), self.content()].concat()
    }

    fn sum(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.wrapping_add(file.size.value))
    }
}

impl File {
    fn head(&self, out: &mut Vec<u8>) {
        let form = self.size.form(&FILE_SIZE);
        let length = self.name.len() as u64;
        let name_form = self
            .name_form
            .unwrap_or_else(|| uint::smallest(&NAME, length));
        out.push((form << 2 | name_form << 1) as u8);
        uint::put(out, self.size.value, FILE_SIZE[form]);
        uint::put(out, length, NAME[name_form]);
        out.extend(&self.name);
    }
}
