//! Bytes recorded from the reference implementation: we decode their meaning, however they are cut,
//! and encode the same bytes.

use serde_json::Value;
use sha2::{Digest, Sha256};
use sockety_codec::{
    ChannelCount, ChannelId, Decoder, Encoder, Event, FileHeader, FileIndex, FilesSummary, Limits,
    MessageHead, ReplyCode, ResponseHead, Truncated, Uuid, Violation,
};

/// Transcripts up to this length are cut at every byte.
const SHORT: usize = 2048;

/// What one side said, apart from how it was packed.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    channels: u16,
    messages: Vec<SaidMessage>,
    fast_replies: Vec<(Uuid, u16)>,
    heartbeats: usize,
    go_aways: usize,
}

/// One message or response.
#[derive(Clone, Debug, PartialEq)]
struct SaidMessage {
    channel: ChannelId,
    id: Uuid,
    parent: Option<Uuid>,
    action: String,
    expects_response: bool,
    payload_size: u64,
    payload: Vec<u8>,
    files: Vec<SaidFile>,
    announced: FilesSummary,
    stream: Option<Vec<u8>>,
    is_whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct SaidFile {
    name: String,
    size: u64,
    content: Vec<u8>,
    has_ended: bool,
}

// r[verify header.count.wrapped]
// r[verify head.id.opaque]
// r[verify content.end]
#[test]
fn all_recorded_transcripts_are_read_and_can_be_said_again() {
    let cases = transcripts();
    let mut identical = 0;
    let mut messages = 0;
    for case in &cases {
        let name = text(&case["name"]);
        let bytes = transcript(case);
        let (said, packets) = read(&bytes).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        check_control_header(case, &said);
        check_uuids(case, &said);
        check_packets(case, &packets);
        check_writes(case, &said);
        let again = say(&said);
        let (said_again, _) = read(&again).unwrap_or_else(|broken| panic!("{name}: {broken}"));
        assert_eq!(
            without_channels(said_again),
            without_channels(said.clone()),
            "{name}"
        );
        messages += said.messages.len();
        identical += usize::from(again == bytes);
    }
    assert_eq!(cases.len(), 234);
    println!(
        "{} transcripts with {messages} messages and responses; {identical} said again byte for byte",
        cases.len()
    );
}

// r[verify head.cut]
#[test]
fn short_transcripts_may_be_cut_at_every_byte() {
    let mut cases = 0;
    let mut cuts = 0;
    for case in &transcripts() {
        if number(&case["total_len"]) > SHORT {
            continue;
        }
        let bytes = transcript(case);
        let (whole, _) = read(&bytes).unwrap();
        for cut in 0..=bytes.len() {
            let (said, _) = read_pieces(&[&bytes[..cut], &bytes[cut..]]).unwrap();
            assert_eq!(said, whole, "{} cut at {cut}", case["name"]);
            check_truncated(case, &whole, &bytes[..cut]);
        }
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(
            read_pieces(&pieces).unwrap().0,
            whole,
            "{} in bytes",
            case["name"]
        );
        cases += 1;
        cuts += bytes.len();
    }
    assert!(cases > 100);
    println!("{cases} transcripts cut at {cuts} places");
}

// r[verify head.cut]
#[test]
fn long_transcripts_may_come_in_pieces_of_any_size() {
    let mut cases = 0;
    for case in &transcripts() {
        if number(&case["total_len"]) <= SHORT {
            continue;
        }
        let bytes = transcript(case);
        let (whole, _) = read(&bytes).unwrap();
        let sizes = [1, 3, 64, 1021, 4096, 65_537];
        // Long content in tiny pieces takes long and says no more.
        for size in sizes.into_iter().filter(|size| bytes.len() / size < 20_000) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            let (said, _) = read_pieces(&pieces).unwrap();
            assert!(said == whole, "{} in pieces of {size}", case["name"]);
        }
        cases += 1;
    }
    assert!(cases > 20, "{cases}");
}

// r[verify head.trailing]
#[test]
fn a_byte_after_a_recorded_header_is_not_accepted() {
    let mut headers = 0;
    for case in &transcripts() {
        let packets = list(&case["packets"]);
        let is_cut = packets.iter().any(|packet| packet["t"] == "continue");
        if is_cut || number(&case["total_len"]) > SHORT {
            continue;
        }
        let bytes = transcript(case);
        for packet in packets {
            if packet["t"] != "message" && packet["t"] != "response" {
                continue;
            }
            let at = number(&packet["at"]);
            let changed = with_trailing_byte(&bytes, at, number(&packet["len"]));
            let violation = violation_of(&changed);
            assert!(
                matches!(violation, Some(Violation::HeaderTrailing { bytes: 1, .. })),
                "{}: {violation:?}",
                case["name"]
            );
            headers += 1;
        }
    }
    assert!(headers > 200);
    println!("{headers} headers with a byte after them");
}

/// Ends the input early: either that is noticed, or everything so far is whole; and what was
/// taken for whole is so.
fn check_truncated(case: &Value, whole: &Said, bytes: &[u8]) {
    let mut decoder = Decoder::new(Limits::WIRE);
    let mut reader = Reader::default();
    reader.push(&mut decoder, bytes).unwrap();
    let said = reader.said;
    for (message, full) in said.messages.iter().zip(&whole.messages) {
        assert!(!message.is_whole || message == full, "{}", case["name"]);
    }
    let all_whole = said.messages.iter().all(|message| message.is_whole);
    match decoder.finish() {
        Ok(()) => assert!(all_whole, "{} at {}", case["name"], bytes.len()),
        Err(Truncated::Content { .. }) => assert!(!all_whole, "{}", case["name"]),
        Err(Truncated::ConnectionHeader | Truncated::Packet | Truncated::Head { .. }) => {}
        Err(other) => panic!("{}: {other}", case["name"]),
    }
}

fn check_control_header(case: &Value, said: &Said) {
    let header = hex(&case["control_header_hex"]);
    let (alone, _) = read(&header).unwrap();
    assert_eq!(alone.channels, said.channels, "{}", case["name"]);
    if let Some(channels) = case["js_call"]["received_channels"].as_u64() {
        assert_eq!(u64::from(said.channels), channels, "{}", case["name"]);
    }
}

fn check_uuids(case: &Value, said: &Said) {
    let mut messages = said.messages.iter();
    let mut replies = said.fast_replies.iter();
    for entry in list(&case["uuids"]) {
        let parent = entry["response_to"].as_str().map(uuid);
        if entry["kind"] == "fast_reply" {
            let (id, code) = replies.next().unwrap();
            assert_eq!(Some(*id), parent);
            assert_eq!(u64::from(*code), entry["code"].as_u64().unwrap());
            continue;
        }
        let message = messages.next().unwrap();
        assert_eq!(message.id, uuid(text(&entry["uuid"])), "{}", case["name"]);
        assert_eq!(message.parent, parent, "{}", case["name"]);
        assert_eq!(
            usize::from(message.channel.get()),
            number(&entry["channel"])
        );
    }
    assert_eq!((messages.len(), replies.len()), (0, 0), "{}", case["name"]);
}

/// Compares with the packets that an independent reader saw, where events show them. A place where
/// the record leaves some out divides it in a begin and an end.
fn check_packets(case: &Value, packets: &[String]) {
    let recorded = list(&case["packets"]);
    let mut parts = recorded
        .split(|packet| packet["t"] == "...")
        .map(|part| part.iter().filter_map(visible).collect::<Vec<_>>());
    let begin = parts.next().unwrap_or_default();
    match parts.next() {
        None => assert_eq!(packets, begin, "{}", case["name"]),
        Some(end) => {
            assert!(begin.len() + end.len() < packets.len());
            assert!(packets.starts_with(&begin), "{}", case["name"]);
            assert!(packets.ends_with(&end), "{}", case["name"]);
        }
    }
}

/// A recorded packet in the words of [`Reader::note`]; none for those that are no events.
fn visible(packet: &Value) -> Option<String> {
    let [channel, index, len] = ["channel", "index", "len"].map(|key| &packet[key]);
    let kind = text(&packet["t"]);
    Some(match kind {
        "channel" | "continue" => return None,
        "message" | "response" => {
            let (expects, stream) = (&packet["expects"], &packet["stream"]);
            format!("{kind} {channel} {expects} {stream}")
        }
        "data" | "stream" => format!("{kind} {channel} {len}"),
        "file" => format!("file {channel} {index} {len}"),
        "fileEnd" => format!("fileEnd {channel} {index}"),
        "streamEnd" => format!("streamEnd {channel}"),
        "fastReply" => format!("fastReply {}", packet["code"]),
        "heartbeat" | "goAway" => kind.into(),
        other => panic!("unknown packet {other}"),
    })
}

/// Compares with what the program was asked to write.
fn check_writes(case: &Value, said: &Said) {
    let name = text(&case["name"]);
    let mut messages = said.messages.iter();
    let mut replies = said.fast_replies.iter();
    let (mut heartbeats, mut go_aways) = (0, 0);
    for write in list(&case["js_call"]["writes"]) {
        if let Some(code) = write["fast_reply"].as_u64() {
            let (id, found) = replies.next().unwrap();
            assert_eq!(
                (*id, u64::from(*found)),
                (uuid(text(&write["to"])), code),
                "{name}"
            );
        } else if let Some(count) = write["heartbeat"].as_u64() {
            heartbeats += count;
        } else if write.get("goAway").is_some()
            || write.get("abort_as_written_by_reference").is_some()
        {
            go_aways += 1;
        } else {
            check_write(name, write, messages.next().unwrap());
        }
    }
    assert_eq!((messages.len(), replies.len()), (0, 0), "{name}");
    assert_eq!(
        (said.heartbeats as u64, said.go_aways),
        (heartbeats, go_aways),
        "{name}"
    );
}

fn check_write(name: &str, write: &Value, message: &SaidMessage) {
    assert!(message.is_whole, "{name}");
    match write["response_to"].as_str() {
        Some(parent) => assert_eq!(message.parent, Some(uuid(parent)), "{name}"),
        None => assert_eq!(message.action, text(&write["action"]), "{name}"),
    }
    assert_eq!(
        Some(message.expects_response),
        write["expects_response"].as_bool(),
        "{name}"
    );
    assert_eq!(message.payload_size, message.payload.len() as u64, "{name}");
    match write.get("data") {
        Some(data) => check_content(name, data, &message.payload),
        None => assert_eq!(message.payload.len(), 0, "{name}"),
    }
    assert_eq!(
        message.stream.is_some(),
        write.get("stream").is_some(),
        "{name}"
    );
    if let Some(stream) = &message.stream {
        check_content(name, &write["stream"]["total"], stream);
    }
    let files = write.get("files").map(list).unwrap_or_default();
    assert_eq!(message.files.len(), files.len(), "{name}");
    let total: u64 = message.files.iter().map(|file| file.size).sum();
    assert_eq!(message.announced.total_size, total, "{name}");
    for (file, expected) in message.files.iter().zip(files) {
        assert_eq!(file.name, text(&expected["name"]), "{name}");
        assert_eq!(file.name.len(), number(&expected["name_len"]), "{name}");
        assert_eq!(file.size, expected["size"].as_u64().unwrap(), "{name}");
        assert_eq!(sha256(&file.content), text(&expected["sha256"]), "{name}");
    }
}

fn check_content(name: &str, expected: &Value, content: &[u8]) {
    assert_eq!(content.len(), number(&expected["len"]), "{name}");
    assert_eq!(sha256(content), text(&expected["sha256"]), "{name}");
}

/// Collects events.
#[derive(Default)]
struct Reader {
    said: Said,
    /// One line for each event that is a packet.
    packets: Vec<String>,
}

impl Reader {
    fn push(&mut self, decoder: &mut Decoder, mut piece: &[u8]) -> Result<(), Violation> {
        while let Some(event) = decoder.decode(&mut piece)? {
            self.packets.extend(note(&event));
            self.take(event);
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Header(header) => self.said.channels = header.channels.get(),
            Event::Message { channel, head, .. } => {
                let is_whole = !head.has_content();
                self.begin(channel, None, &head, is_whole);
            }
            Event::Response { channel, head, .. } => {
                let is_whole = !head.has_content();
                let message = MessageHead::new(head.id, "")
                    .expecting_response(head.expects_response)
                    .with_stream(head.has_stream)
                    .with_payload_size(head.payload_size)
                    .with_files(head.files);
                self.begin(channel, Some(head.parent), &message, is_whole);
            }
            Event::FileHeader {
                channel,
                index,
                header,
            } => {
                let files = &mut self.open(channel).files;
                assert_eq!(index.get() as usize, files.len());
                files.push(SaidFile {
                    name: header.name.into(),
                    size: header.size,
                    content: Vec::new(),
                    has_ended: false,
                });
            }
            Event::Data {
                channel,
                bytes,
                remaining,
            } => {
                let message = self.open(channel);
                message.payload.extend(bytes);
                let missing = message.payload_size - message.payload.len() as u64;
                assert_eq!(remaining, missing);
            }
            Event::Stream { channel, bytes } => {
                self.open(channel).stream.as_mut().unwrap().extend(bytes);
            }
            Event::StreamEnd { channel } => assert!(self.open(channel).stream.is_some()),
            Event::File {
                channel,
                index,
                bytes,
            } => self.file(channel, index).content.extend(bytes),
            Event::FileEnd {
                channel,
                index,
                missing,
            } => {
                let file = self.file(channel, index);
                assert_eq!(file.size, file.content.len() as u64 + missing);
                file.has_ended = true;
            }
            Event::End { channel } => {
                let message = self.open(channel);
                assert!(message.files.iter().all(|file| file.has_ended));
                message.is_whole = true;
            }
            Event::FastReply { id, code } => self.said.fast_replies.push((id, code.get())),
            Event::Heartbeat => self.said.heartbeats += 1,
            Event::GoAway => self.said.go_aways += 1,
            event => panic!("unexpected {event:?}"),
        }
    }

    fn begin(
        &mut self,
        channel: ChannelId,
        parent: Option<Uuid>,
        head: &MessageHead<'_>,
        is_whole: bool,
    ) {
        self.said.messages.push(SaidMessage {
            channel,
            id: head.id,
            parent,
            action: head.action.into(),
            expects_response: head.expects_response,
            payload_size: head.payload_size,
            payload: Vec::new(),
            files: Vec::new(),
            announced: head.files,
            stream: head.has_stream.then(Vec::new),
            is_whole,
        });
    }

    /// The message in progress on a channel.
    fn open(&mut self, channel: ChannelId) -> &mut SaidMessage {
        let messages = self.said.messages.iter_mut().rev();
        let mut on_channel = messages.filter(|message| message.channel == channel);
        let message = on_channel.next().expect("content of a message");
        assert!(!message.is_whole, "content of a message that has ended");
        message
    }

    fn file(&mut self, channel: ChannelId, index: FileIndex) -> &mut SaidFile {
        &mut self.open(channel).files[index.get() as usize]
    }
}

fn note(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Message { channel, head, .. } => {
            format!(
                "message {channel} {} {}",
                head.expects_response, head.has_stream
            )
        }
        Event::Response { channel, head, .. } => {
            format!(
                "response {channel} {} {}",
                head.expects_response, head.has_stream
            )
        }
        Event::Data { channel, bytes, .. } => format!("data {channel} {}", bytes.len()),
        Event::Stream { channel, bytes } => format!("stream {channel} {}", bytes.len()),
        Event::StreamEnd { channel } => format!("streamEnd {channel}"),
        Event::File {
            channel,
            index,
            bytes,
        } => format!("file {channel} {index} {}", bytes.len()),
        Event::FileEnd { channel, index, .. } => format!("fileEnd {channel} {index}"),
        Event::FastReply { code, .. } => format!("fastReply {code}"),
        Event::Heartbeat => "heartbeat".into(),
        Event::GoAway => "goAway".into(),
        Event::Header(_)
        | Event::FileHeader { .. }
        | Event::End { .. }
        | Event::Abort { .. }
        | Event::Refused { .. }
        | Event::WholeMessage { .. }
        | Event::WholeResponse { .. } => return None,
        other => panic!("unexpected {other:?}"),
    })
}

/// Reads a whole transcript, and is left between two messages.
fn read(bytes: &[u8]) -> Result<(Said, Vec<String>), String> {
    read_pieces(&[bytes])
}

fn read_pieces(pieces: &[&[u8]]) -> Result<(Said, Vec<String>), String> {
    let mut decoder = Decoder::new(Limits::WIRE);
    let mut reader = Reader::default();
    for piece in pieces {
        let read = reader.push(&mut decoder, piece);
        read.map_err(|violation| violation.to_string())?;
    }
    decoder
        .finish()
        .map_err(|truncated| truncated.to_string())?;
    assert_eq!(decoder.tolerated().reserved_bits, 0);
    assert_eq!(decoder.tolerated().empty_packets, 0);
    assert_eq!(decoder.buffered(), 0);
    Ok((reader.said, reader.packets))
}

fn violation_of(bytes: &[u8]) -> Option<Violation> {
    let mut decoder = Decoder::new(Limits::WIRE);
    Reader::default().push(&mut decoder, bytes).err()
}

/// Says the same with our encoder, one message after the other on the channels used before.
fn say(said: &Said) -> Vec<u8> {
    let mut dst = Vec::new();
    let channels = ChannelCount::new(said.channels).unwrap();
    sockety_codec::ConnectionHeader::new(channels).encode(&mut dst);
    let mut encoder = Encoder::new(ChannelCount::MAX);
    for message in &said.messages {
        say_message(&mut encoder, &mut dst, message);
    }
    for (id, code) in &said.fast_replies {
        encoder.fast_reply(&mut dst, *id, ReplyCode::new(*code).unwrap());
    }
    for _ in 0..said.heartbeats {
        encoder.heartbeat(&mut dst);
    }
    for _ in 0..said.go_aways {
        encoder.go_away(&mut dst);
    }
    dst
}

fn say_message(encoder: &mut Encoder, dst: &mut Vec<u8>, message: &SaidMessage) {
    let channel = message.channel;
    let files: Vec<FileHeader<'_>> = message
        .files
        .iter()
        .map(|file| FileHeader::new(&file.name, file.size))
        .collect();
    match message.parent {
        None => {
            let head = MessageHead::new(message.id, &message.action)
                .expecting_response(message.expects_response)
                .with_stream(message.stream.is_some())
                .with_payload_size(message.payload_size)
                .with_files(message.announced);
            encoder.begin(dst, channel, head, &files).unwrap();
        }
        Some(parent) => {
            let head = ResponseHead::new(parent, message.id)
                .expecting_response(message.expects_response)
                .with_stream(message.stream.is_some())
                .with_payload_size(message.payload_size)
                .with_files(message.announced);
            encoder.begin(dst, channel, head, &files).unwrap();
        }
    }
    if !message.payload.is_empty() {
        encoder
            .data(dst, channel, message.payload.len() as u32)
            .unwrap();
        dst.extend(&message.payload);
    }
    for (index, file) in (0..).map_while(FileIndex::new).zip(&message.files) {
        for chunk in file.content.chunks(0xFF_FFFF) {
            encoder
                .file(dst, channel, index, chunk.len() as u32)
                .unwrap();
            dst.extend(chunk);
        }
        encoder.file_end(dst, channel, index).unwrap();
    }
    let Some(stream) = &message.stream else {
        return;
    };
    if !stream.is_empty() {
        encoder.stream(dst, channel, stream.len() as u32).unwrap();
        dst.extend(stream);
    }
    encoder.stream_end(dst, channel).unwrap();
}

/// Fast replies and messages have no order among each other here, and channels are of no matter.
fn without_channels(mut said: Said) -> Said {
    for message in &mut said.messages {
        message.channel = ChannelId::ZERO;
    }
    said
}

/// Puts a zero behind the header in the packet at `at`.
fn with_trailing_byte(bytes: &[u8], at: usize, len: usize) -> Vec<u8> {
    let size_width = match (bytes[at] >> 2) & 0b11 {
        0 => 1,
        1 => 2,
        2 => 3,
        _ => 4,
    };
    let header = at + 1 + size_width;
    let mut changed = bytes[..at].to_vec();
    changed.push(bytes[at] | 0b1100);
    changed.extend((len as u32 + 1).to_le_bytes());
    changed.extend(&bytes[header..header + len]);
    changed.push(0);
    changed.extend(&bytes[header + len..]);
    changed
}

fn transcripts() -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/vectors/reference-transcripts.json"
    );
    let file = std::fs::read(path).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// All bytes of a case, checked against its hash.
fn transcript(case: &Value) -> Vec<u8> {
    let bytes = match case.get("bytes_hex") {
        Some(bytes) => hex(bytes),
        None => recipe(&case["segments"]),
    };
    assert_eq!(bytes.len(), number(&case["total_len"]), "{}", case["name"]);
    assert_eq!(sha256(&bytes), text(&case["sha256"]), "{}", case["name"]);
    assert!(bytes.starts_with(&hex(&case["control_header_hex"])));
    bytes
}

/// Bytes that a recipe, or a list of them, describes.
fn recipe(recipe: &Value) -> Vec<u8> {
    if let Some(parts) = recipe.as_array() {
        return parts.iter().flat_map(self::recipe).collect();
    }
    if let Some(bytes) = recipe.get("hex") {
        return hex(bytes);
    }
    if let Some(mod251) = recipe.get("mod251") {
        let start = number(&mod251["start"]);
        let end = start + number(&mod251["len"]);
        return (start..end).map(|byte| (byte % 251) as u8).collect();
    }
    let repeat = &recipe["repeat"];
    vec![number(&repeat["byte"]) as u8; number(&repeat["len"])]
}

fn hex(value: &Value) -> Vec<u8> {
    text(value)
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

fn uuid(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap()
}
