//! What holds of every dialogue, written in any of the forms that the protocol allows. `PROPTEST_CASES` says how many are tried.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;
use sockety::{Connection, FastReply, Options, Router, message::Draft, serve::MessageHandler};
use sockety_codec::extension::metadata::{Entry, MAX_ENTRIES, Metadata, Reader, Trace, Writer};
use sockety_codec::extension::{LeaveReason, Settings};
use sockety_codec::{
    ChannelCount, ChannelId, Encoder, FileHeader, FileIndex, FilesSummary, FlowEntry, Limits,
    MessageHead, Part, ResponseHead, Uuid,
};
use sockety_fuzz_harness::{
    End, Extended, Said, decode, decode_extended, decode_pieces, encode_extended, extended, pieces,
    read, requests_for,
};
use tokio::io::{AsyncWriteExt, duplex};

/// A message or response, and how it is written.
#[derive(Clone, Debug)]
struct Sent {
    parent: Option<u128>,
    id: u128,
    action: String,
    expects_response: bool,
    payload: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    stream: Option<Vec<Vec<u8>>>,
    /// Chooses among the forms of each number.
    forms: Vec<u8>,
    /// Where the header is cut.
    cut: Option<Index>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let files = vec(("[a-zé]{0,9}", vec(any::<u8>(), 0..9)), 0..4);
    let stream = option::of(vec(vec(any::<u8>(), 1..9), 0..4));
    let heads = (
        option::of(any::<u128>()),
        any::<u128>(),
        "[a-zé/]{0,20}",
        any::<bool>(),
    );
    let contents = (vec(any::<u8>(), 0..40), files, stream);
    let forms = (vec(any::<u8>(), 1..40), option::of(any::<Index>()));
    (heads, contents, forms).prop_map(
        |((parent, id, action, expects_response), (payload, files, stream), (forms, cut))| Sent {
            action: if parent.is_some() {
                String::new()
            } else {
                action
            },
            parent,
            id,
            expects_response,
            payload,
            files,
            stream,
            forms,
            cut,
        },
    )
}

fn dialogue() -> impl Strategy<Value = Vec<Sent>> {
    vec(sent(), 0..5)
}

/// Chooses a form for each number that is written, one after another.
struct Forms<'a> {
    choices: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl Forms<'_> {
    fn choose(&mut self, among: usize) -> usize {
        usize::from(*self.choices.next().expect("there is one")) % among
    }

    /// A number in one of the widths that hold it, and which one.
    fn number(&mut self, value: u64, widths: &[usize]) -> (u8, Vec<u8>) {
        let holds = |width: usize| width == 8 || value >> (8 * width) == 0;
        let smallest = widths
            .iter()
            .position(|width| holds(*width))
            .expect("it fits");
        let form = smallest + self.choose(widths.len() - smallest);
        (form as u8, value.to_le_bytes()[..widths[form]].to_vec())
    }
}

impl Sent {
    fn forms(&self) -> Forms<'_> {
        Forms {
            choices: self.forms.iter().cycle(),
        }
    }

    fn files_size(&self) -> u64 {
        self.files
            .iter()
            .map(|(_, content)| content.len() as u64)
            .sum()
    }

    fn header(&self, forms: &mut Forms<'_>) -> Vec<u8> {
        let (payload_form, payload) = forms.number(self.payload.len() as u64, &[0, 1, 2, 6]);
        let (count_form, count) = forms.number(self.files.len() as u64, &[0, 1, 2, 3]);
        let (total_form, total) = forms.number(self.files_size(), &[2, 3, 4, 6]);
        let (action_form, length) = match self.parent {
            None => forms.number(self.action.len() as u64, &[1, 2]),
            Some(_) => (0, Vec::new()),
        };
        let mut header =
            vec![payload_form << 6 | count_form << 4 | total_form << 2 | action_form << 1];
        header.extend(self.parent.iter().flat_map(|parent| parent.to_be_bytes()));
        header.extend(self.id.to_be_bytes());
        header.extend([length, self.action.clone().into_bytes(), payload, count].concat());
        if count_form != 0 {
            header.extend(total);
        }
        for (name, content) in &self.files {
            let (size_form, size) = forms.number(content.len() as u64, &[1, 2, 3, 6]);
            let (length_form, length) = forms.number(name.len() as u64, &[1, 2]);
            header.push(size_form << 2 | length_form << 1);
            header.extend([&size, &length, name.as_bytes()].concat());
        }
        header
    }

    /// Its packets, without those that switch channels.
    fn packets(&self) -> Vec<Vec<u8>> {
        let mut forms = self.forms();
        let header = self.header(&mut forms);
        let kind = if self.parent.is_some() { 0x50 } else { 0x20 };
        let bits = u8::from(self.stream.is_some()) << 1 | u8::from(self.expects_response);
        let cut = self
            .cut
            .map_or(header.len(), |cut| cut.index(header.len() + 1));
        let (first, rest) = header.split_at(cut);
        let mut packets = vec![packet(&mut forms, kind | bits, &[], first)];
        if !rest.is_empty() {
            packets.push(packet(&mut forms, 0x60, &[], rest));
        }
        for piece in self.payload.chunks(7) {
            packets.push(packet(&mut forms, 0xE0, &[], piece));
        }
        for (index, (_, content)) in self.files.iter().enumerate() {
            for piece in content.chunks(5) {
                let (form, index) = forms.number(index as u64, &[0, 1, 2, 3]);
                packets.push(packet(&mut forms, 0xC0 | form, &index, piece));
            }
            let (form, index) = forms.number(index as u64, &[0, 1, 2, 3]);
            packets.push([&[0xD0 | form], index.as_slice()].concat());
        }
        if let Some(chunks) = &self.stream {
            packets.extend(
                chunks
                    .iter()
                    .map(|chunk| packet(&mut forms, 0x70, &[], chunk)),
            );
            packets.push(vec![0x80]);
        }
        packets
    }

    /// Written by the encoder.
    fn encode(&self, encoder: &mut Encoder, dst: &mut Vec<u8>, channel: ChannelId) {
        let files: Vec<_> = self
            .files
            .iter()
            .map(|(name, content)| FileHeader::new(name, content.len() as u64))
            .collect();
        let announced = FilesSummary::of(&files).expect("they are few");
        let (payload_size, has_stream) = (self.payload.len() as u64, self.stream.is_some());
        let id = Uuid::from_u128(self.id);
        let expects_response = self.expects_response;
        let begun = match self.parent {
            None => {
                let head = MessageHead::new(id, &self.action)
                    .expecting_response(expects_response)
                    .with_stream(has_stream)
                    .with_payload_size(payload_size)
                    .with_files(announced);
                encoder.begin(dst, channel, head, &files)
            }
            Some(parent) => {
                let head = ResponseHead::new(Uuid::from_u128(parent), id)
                    .expecting_response(expects_response)
                    .with_stream(has_stream)
                    .with_payload_size(payload_size)
                    .with_files(announced);
                encoder.begin(dst, channel, head, &files)
            }
        };
        begun.expect("legal");
        if !self.payload.is_empty() {
            encoder
                .data(dst, channel, self.payload.len() as u32)
                .expect("legal");
            dst.extend_from_slice(&self.payload);
        }
        for ((_, content), index) in self.files.iter().zip(0..) {
            let index = FileIndex::new(index).expect("few");
            if !content.is_empty() {
                encoder
                    .file(dst, channel, index, content.len() as u32)
                    .expect("legal");
                dst.extend_from_slice(content);
            }
            encoder.file_end(dst, channel, index).expect("legal");
        }
        if let Some(chunks) = &self.stream {
            for chunk in chunks {
                encoder
                    .stream(dst, channel, chunk.len() as u32)
                    .expect("legal");
                dst.extend_from_slice(chunk);
            }
            encoder.stream_end(dst, channel).expect("legal");
        }
    }
}

fn packet(forms: &mut Forms<'_>, first: u8, index: &[u8], content: &[u8]) -> Vec<u8> {
    let (form, size) = forms.number(content.len() as u64, &[1, 2, 3, 4]);
    [&[first | form << 2], size.as_slice(), index, content].concat()
}

fn switch(forms: &mut Forms<'_>, channel: usize) -> Vec<u8> {
    match forms.choose(2) {
        0 => vec![channel as u8],
        _ => vec![0x10, channel as u8],
    }
}

/// All messages one after another on channel 0.
fn in_turn(messages: &[Sent]) -> Vec<u8> {
    let packets = messages.iter().flat_map(Sent::packets);
    [vec![0xE3]].into_iter().chain(packets).flatten().collect()
}

fn events(input: &[u8]) -> Vec<Said> {
    let decoded = decode(Limits::WIRE, input);
    assert_eq!((decoded.violation, decoded.end), (None, Ok(())));
    decoded.events
}

/// What belongs to one channel.
fn on_channel(events: &[Said], channel: usize) -> Vec<Said> {
    let mut own = Vec::new();
    for event in events {
        if event.channel().map(usize::from) == Some(channel) {
            event.clone().push(&mut own);
        }
    }
    own
}

/// Whether these events are the beginning of the others; the last piece of content may be there in part.
fn is_begin(part: &[Said], whole: &[Said]) -> bool {
    let Some((last, before)) = part.split_last() else {
        return true;
    };
    let Some(counterpart) = whole.get(before.len()) else {
        return false;
    };
    let is_part = match (last, counterpart) {
        (Said::Data { bytes: some, .. }, Said::Data { bytes: all, .. })
        | (Said::Stream { bytes: some, .. }, Said::Stream { bytes: all, .. })
        | (Said::File { bytes: some, .. }, Said::File { bytes: all, .. }) => all.starts_with(some),
        _ => last == counterpart,
    };
    is_part && whole.starts_with(before)
}

fn settings() -> impl Strategy<Value = Settings> {
    let windows = (any::<u32>(), any::<u64>(), any::<u32>());
    let advice = (0..1_u64 << 48, any::<[u32; 4]>());
    let times = (0..1_u64 << 48, any::<u32>());
    (windows, 1..4097_u16, advice, times).prop_map(
        |((message, connection, metadata), channels, (payload, advice), (idle, deadline))| {
            let [files, action, header, requests] = advice;
            Settings::default()
                .with_message_window(message)
                .with_connection_window(connection)
                .with_metadata_bytes(metadata)
                .with_channels(ChannelCount::new(channels).expect("in range"))
                .with_payload(payload)
                .with_files(files)
                .with_action_bytes(action)
                .with_header_bytes(header)
                .with_requests(requests)
                .with_idle_millis(idle)
                .with_deadline_millis(deadline)
        },
    )
}

/// All that a Flow packet can say of numbers that are as they are on the wire.
fn flow_entry() -> impl Strategy<Value = FlowEntry> {
    let index = || (0..1_u32 << 24).prop_map(|index| FileIndex::new(index).expect("24 bits"));
    let part = || prop_oneof![Just(Part::Stream), index().prop_map(Part::File)];
    let number = || any::<u32>().prop_map(u64::from);
    // As often in each width.
    let limit = || (0..48_u32, any::<u64>()).prop_map(|(bits, limit)| limit >> (63 - bits));
    let credit = (number(), part(), limit(), any::<bool>());
    prop_oneof![
        credit.prop_map(|(number, part, limit, lifeline)| FlowEntry::Part {
            number,
            part,
            limit,
            lifeline
        }),
        (number(), index()).prop_map(|(number, index)| FlowEntry::FilesBelow { number, index }),
        limit().prop_map(|limit| FlowEntry::Connection { limit }),
        (number(), option::of(part())).prop_map(|(number, part)| FlowEntry::Stop { number, part }),
    ]
}

/// Metadata that owns its bytes. Names are few, so that they occur again.
#[derive(Clone, Debug)]
struct Owned {
    deadline: Option<Option<u32>>,
    trace: Option<([u8; 16], [u8; 8], u8)>,
    attempt: u8,
    retry_after: Option<Option<u32>>,
    entries: Vec<(String, Vec<u8>, bool)>,
}

impl Owned {
    fn get(&self) -> Metadata<'_> {
        let trace = self.trace.map(|(trace_id, parent_id, flags)| Trace {
            trace_id,
            parent_id,
            flags,
        });
        let entries = self.entries.iter();
        Metadata {
            deadline: self.deadline,
            trace: trace.filter(Trace::is_valid),
            attempt: self.attempt,
            retry_after: self.retry_after,
            entries: entries
                .map(|(name, value, is_secret)| Entry {
                    name,
                    value,
                    is_secret: *is_secret,
                })
                .collect(),
        }
    }
}

fn metadata() -> impl Strategy<Value = Owned> {
    let millis = || option::of(option::of(0..u32::MAX));
    let name = prop_oneof![
        "[a-c]{1,2}",
        "[a-z0-9._]{1,64}",
        Just("baggage".to_owned()),
        Just("authorization".to_owned()),
    ];
    let value = prop_oneof![vec(any::<u8>(), 0..9), vec(any::<u8>(), 250..260)];
    let entries = vec((name, value, any::<bool>()), 0..9);
    let trace = option::of(any::<([u8; 16], [u8; 8], u8)>());
    (millis(), trace, any::<u8>(), millis(), entries).prop_map(
        |(deadline, trace, attempt, retry_after, mut entries)| {
            entries.sort();
            entries.dedup_by(|one, other| one.0 == other.0);
            Owned {
                deadline,
                trace,
                attempt,
                retry_after,
                entries,
            }
        },
    )
}

/// What a side says after its settings. Numbers of metadata are those that they get.
fn said_extended() -> impl Strategy<Value = Vec<Extended>> {
    let reason = prop_oneof![
        Just(LeaveReason::Shutdown),
        Just(LeaveReason::Overloaded),
        Just(LeaveReason::LameDuck),
    ];
    let leave = (
        option::of(0..(1_u64 << 48) - 1),
        reason,
        any::<[u32; 2]>(),
        "[a-zé]{0,100}",
    );
    let status = (0..4096_u16, 0..4096_u16, vec(any::<u8>(), 0..40));
    let event = prop_oneof![
        (any::<bool>(), vec(any::<u8>(), 1..40)).prop_map(|(has_number, content)| {
            Extended::Metadata {
                number: has_number.then_some(0),
                content,
            }
        }),
        vec(0..9_u64, 1..5).prop_map(Extended::Cancel),
        status.prop_map(|(channel, code, error)| Extended::Status {
            channel,
            code,
            error
        }),
        vec(flow_entry(), 1..9).prop_map(Extended::Flow),
        leave.prop_map(|(taken, reason, [grace, retry], text)| Extended::Leave {
            taken,
            reason,
            grace_millis: grace,
            retry_after_millis: retry,
            text,
        }),
        any::<[u8; 8]>().prop_map(Extended::Ping),
        any::<[u8; 8]>().prop_map(Extended::Pong),
    ];
    (settings(), vec(event, 0..9), any::<bool>()).prop_map(|(settings, mut events, is_done)| {
        let mut begun = requests_for(&events);
        let mut fallen = None;
        for event in &mut events {
            match event {
                Extended::Metadata {
                    number: Some(number),
                    ..
                } => *number = begun,
                Extended::Status { .. } => {}
                Extended::Leave { taken, .. } => {
                    // It only falls, and open is the most.
                    let most = fallen.unwrap_or(u64::MAX);
                    *taken = taken.map(|taken| taken.min(most)).or(fallen);
                    fallen = *taken;
                    continue;
                }
                _ => continue,
            }
            begun += 1;
        }
        events.insert(0, Extended::Settings(settings));
        events.extend(is_done.then_some(Extended::Done));
        events
    })
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    // r[verify packet.size.any]
    #[test]
    fn every_form_of_every_number_says_the_same(messages in dialogue()) {
        let mut encoder = Encoder::new(ChannelCount::MAX);
        let mut canonical = vec![0xE3];
        for message in &messages {
            message.encode(&mut encoder, &mut canonical, ChannelId::ZERO);
        }
        let input = in_turn(&messages);
        prop_assert_eq!(events(&input), events(&canonical));
        prop_assert!(canonical.len() <= input.len(), "the encoder writes the smallest form");
    }

    #[test]
    fn the_pieces_do_not_matter(messages in vec(sent(), 0..3), seed: u32) {
        let input = in_turn(&messages);
        let whole = decode(Limits::default(), &input);
        for cut in 0..=input.len() {
            let (begin, rest) = input.split_at(cut);
            prop_assert_eq!(&decode_pieces(Limits::default(), [begin, rest]), &whole);
        }
        prop_assert_eq!(decode_pieces(Limits::default(), pieces(&input, seed)), whole);
    }

    // r[verify content.mixed]
    #[test]
    fn channels_do_not_disturb_each_other(messages in dialogue(), turns in vec(any::<Index>(), 200)) {
        let mut queues: Vec<_> = messages.iter().map(|message| message.packets().into_iter()).collect();
        let fallback = vec![0];
        let mut forms = Forms { choices: messages.first().map_or(&fallback, |first| &first.forms).iter().cycle() };
        let mut input = vec![0xE3];
        for turn in &turns {
            if !queues.is_empty() {
                let channel = turn.index(queues.len());
                if let Some(packet) = queues[channel].next() {
                    input.extend(switch(&mut forms, channel));
                    input.extend(packet);
                }
            }
        }
        for (channel, queue) in queues.into_iter().enumerate() {
            input.extend(switch(&mut forms, channel));
            input.extend(queue.flatten());
        }
        let mixed = events(&input);
        for (channel, message) in messages.iter().enumerate() {
            let mut alone = vec![0xE3];
            alone.extend(switch(&mut forms, channel));
            alone.extend(message.packets().concat());
            prop_assert_eq!(on_channel(&mixed, channel), on_channel(&events(&alone), channel));
        }
    }

    // r[verify packet.channelless]
    #[test]
    fn packets_without_a_channel_change_nothing(messages in dialogue(), extras in vec((any::<Index>(), 0..4), 0..20)) {
        let expected = on_channel(&events(&in_turn(&messages)), 0);
        let mut packets: Vec<_> = messages.iter().flat_map(Sent::packets).collect();
        for (place, extra) in extras {
            let extra = match extra {
                0 => vec![0xA0],
                1 => vec![0xB0],
                2 => vec![0x07, 0x00],
                _ => [&[0x31][..], &[0x5A; 16]].concat(),
            };
            packets.insert(place.index(packets.len() + 1), extra);
        }
        let input = [&[0xE3][..], &packets.concat()].concat();
        prop_assert_eq!(on_channel(&events(&input), 0), expected);
    }

    #[test]
    fn what_is_cut_off_is_never_whole(messages in vec(sent(), 0..3)) {
        let input = in_turn(&messages);
        let whole = events(&input);
        let mut ends = vec![1];
        for message in &messages {
            ends.push(ends[ends.len() - 1] + message.packets().concat().len());
        }
        for cut in 0..input.len() {
            let decoded = decode(Limits::WIRE, &input[..cut]);
            prop_assert_eq!(decoded.violation, None);
            prop_assert_eq!(decoded.end.is_ok(), ends.contains(&cut), "cut at {}", cut);
            prop_assert!(is_begin(&decoded.events, &whole));
            let reference = read(&input[..cut], 4096, false);
            prop_assert_eq!(reference.end == End::Clean, ends.contains(&cut));
        }
    }

    #[test]
    fn a_flipped_bit_harms_no_other_connection(messages in dialogue(), place: Index, bit in 0..8_u8) {
        let mut input = in_turn(&messages);
        let at = place.index(input.len());
        input[at] ^= 1_u8 << bit;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let serve = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
            let options = Options::default();
            let (near, mut hostile) = duplex(1 << 16);
            let other = tokio::spawn(Connection::over(near, serve.clone(), options.clone()));
            hostile.write_all(&input).await.expect("there is room");
            let (near, far) = duplex(1 << 16);
            let (client, _server) = tokio::try_join!(
                Connection::over(near, Router::new(), Options::default()),
                Connection::over(far, serve, options),
            ).expect("two connections");
            let mut request = client.send(Draft::new("ping").create()).await.expect("sent");
            assert_eq!(request.response().await.expect("a reply").code(), Some(FastReply::ACCEPT));
            drop(hostile);
            if let Ok(connection) = other.await.expect("no panic") {
                connection.closed().await;
            }
        });
    }

    #[test]
    fn what_the_extension_says_arrives(events in said_extended(), seed: u32) {
        let input = encode_extended(&events);
        let decoded = decode_extended(Limits::WIRE, pieces(&input, seed));
        prop_assert_eq!(decoded.violation, None);
        prop_assert_eq!(decoded.end, Ok(()));
        prop_assert_eq!(decoded.tolerated.total(), 0);
        prop_assert_eq!(extended(&decoded.events), events);
    }

    #[test]
    fn metadata_arrives_with_the_names_of_before(all in vec(metadata(), 1..20)) {
        let (mut writer, mut reader) = (Writer::default(), Reader::default());
        for metadata in &all {
            let metadata = metadata.get();
            prop_assert!(metadata.entries.len() <= MAX_ENTRIES);
            let (mut content, mut whole) = (Vec::new(), Vec::new());
            let written = writer.encode(&metadata, 65_536, &mut content);
            prop_assert_eq!(written, Ok(()));
            prop_assert_eq!(reader.decode(&content), Ok(metadata.clone()));
            prop_assert_eq!(Writer::encode_whole(&metadata, 65_536, &mut whole), Ok(()));
            prop_assert!(content.len() <= whole.len());
            let mut other = Reader::default();
            prop_assert_eq!(other.decode(&whole), Ok(metadata));
        }
    }
}
