use super::*;

fn bytes(script: &str) -> Vec<u8> {
    let digits: Vec<u8> = script
        .bytes()
        .filter(|it| !it.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn entry<'a>(name: &'a str, value: &'a [u8]) -> Entry<'a> {
    Entry {
        name,
        value,
        is_secret: false,
    }
}

fn written(writer: &mut Writer, metadata: &Metadata<'_>) -> Vec<u8> {
    let mut dst = Vec::new();
    writer.encode(metadata, 8_192, &mut dst).unwrap();
    assert_eq!(
        Reader::default().decode(&dst).as_ref(),
        Ok(metadata),
        "{dst:02x?}"
    );
    dst
}

#[track_caller]
fn check_broken(script: &str, expected: Violation) {
    let content = bytes(script);
    let mut reader = Reader::default();
    assert_eq!(reader.decode(&content), Err(expected));
}

#[test]
fn a_deadline_takes_the_smallest_width() {
    for (deadline, script) in [
        (Some(0), "00 00"),
        (Some(250), "00 FA"),
        (Some(500), "01 F401"),
        (Some(65_535), "01 FFFF"),
        (Some(3_600_000), "02 80EE36"),
        (Some(1 << 24), "03 00000001"),
        (Some(MAX_MILLIS), "03 FEFFFFFF"),
        (None, "03 FFFFFFFF"),
    ] {
        let metadata = Metadata {
            deadline: Some(deadline),
            ..Metadata::default()
        };
        assert_eq!(written(&mut Writer::default(), &metadata), bytes(script));
        // Likewise for the time after which to try again.
        let metadata = Metadata {
            retry_after: Some(deadline),
            ..Metadata::default()
        };
        let content = written(&mut Writer::default(), &metadata);
        assert_eq!(content[0], bytes(script)[0] | 0b1000);
        assert_eq!(content[1..], bytes(script)[1..]);
    }
}

#[test]
fn a_deadline_with_a_trace_takes_29_bytes() {
    let metadata = Metadata {
        deadline: Some(Some(30_000)),
        trace: Some(Trace {
            trace_id: [7; 16],
            parent_id: [8; 8],
            flags: 1,
        }),
        ..Metadata::default()
    };
    let content = written(&mut Writer::default(), &metadata);
    let expected = format!("01 3075 04 {} {} 01", "07".repeat(16), "08".repeat(8));
    assert_eq!(content, bytes(&expected));
    assert_eq!(content.len(), 29);
}

// r[verify ext.meta.names]
#[test]
fn a_name_is_sent_once() {
    let (mut writer, mut reader) = (Writer::default(), Reader::default());
    let metadata = Metadata {
        entries: vec![entry("tenant", b"acme")],
        ..Metadata::default()
    };
    for script in [
        "4C 06 74656E616E74 04 61636D65",
        "40 10 04 61636D65",
        "40 10 04 61636D65",
    ] {
        let mut content = Vec::new();
        writer.encode(&metadata, 8_192, &mut content).unwrap();
        assert_eq!(content, bytes(script));
        assert_eq!(reader.decode(&content).as_ref(), Ok(&metadata));
    }
    let well_known = Metadata {
        entries: vec![entry("tracestate", b"a=1")],
        ..Metadata::default()
    };
    assert_eq!(written(&mut writer, &well_known), bytes("40 00 03 613D31"));
    let mut whole = Vec::new();
    Writer::encode_whole(&metadata, 8_192, &mut whole).unwrap();
    assert_eq!(whole, bytes("48 06 74656E616E74 04 61636D65"));
}

// r[verify ext.meta.names]
#[test]
fn after_64_names_all_others_are_sent_whole() {
    let (mut writer, mut reader) = (Writer::default(), Reader::default());
    let names: Vec<_> = (0..70).map(|number| format!("name-{number}")).collect();
    for round in 0..2 {
        for (number, name) in names.iter().enumerate() {
            let metadata = Metadata {
                entries: vec![entry(name, b"v")],
                ..Metadata::default()
            };
            let mut content = Vec::new();
            writer.encode(&metadata, 8_192, &mut content).unwrap();
            let expected = match (round, number) {
                (0, 0..64) => 0x4C,
                (1, 0..64) => 0x40,
                _ => 0x48,
            };
            assert_eq!(content[0], expected);
            assert_eq!(reader.decode(&content).as_ref(), Ok(&metadata));
        }
    }
    let content = bytes("4C 01 7A 00");
    assert_eq!(reader.decode(&content), Err(Violation::MetadataNames));
    check_broken("40 10 00", Violation::MetadataSlot { slot: 16 });
    check_broken("40 03 00", Violation::MetadataSlot { slot: 3 });
    // A slot that is filled later in the same packet.
    check_broken(
        "40 10 00 4C 01 7A 00",
        Violation::MetadataRepeated { byte: 0x4C },
    );
}

// r[verify ext.meta.bound]
#[test]
fn what_is_not_sent_teaches_nothing() {
    let mut writer = Writer::default();
    let long = vec![0; 100];
    let mut metadata = Metadata {
        entries: vec![entry("tenant", &long)],
        ..Metadata::default()
    };
    let mut content = Vec::new();
    let size = 1 + 1 + 6 + 1 + 100;
    let limit = size - 1;
    assert_eq!(
        writer.encode(&metadata, limit, &mut content),
        Err(UsageError::MetadataTooLarge { size, limit })
    );
    assert!(content.is_empty());
    writer.encode(&metadata, size, &mut content).unwrap();
    assert_eq!(content[0], 0x4C, "the name was not remembered before");

    metadata.entries = vec![entry("a", b""), entry("a", b"")];
    assert_eq!(
        writer.encode(&metadata, 8_192, &mut content),
        Err(UsageError::MetadataName)
    );
    let names: Vec<_> = (0..65).map(|number| format!("n{number}")).collect();
    metadata.entries = names.iter().map(|name| entry(name, b"")).collect();
    assert_eq!(
        writer.encode(&metadata, 8_192, &mut content),
        Err(UsageError::MetadataEntries { count: 65 })
    );
    metadata.entries.pop();
    content.clear();
    writer.encode(&metadata, 8_192, &mut content).unwrap();
    assert_eq!(
        Reader::default().decode(&content).unwrap().entries.len(),
        64
    );
    content.extend(bytes("00 01"));
    assert_eq!(
        Reader::default().decode(&content),
        Err(Violation::MetadataEntries)
    );
}

// r[verify ext.meta.user]
#[test]
fn a_name_has_few_characters() {
    let longest = "x".repeat(64);
    for name in ["a", "z9._-", "sockety", &longest] {
        assert!(is_name(name), "{name}");
    }
    let too_long = "x".repeat(65);
    for name in ["", "A", "a b", "é", "sockety-", "sockety-x", &too_long] {
        assert!(!is_name(name), "{name}");
        let mut content = vec![0x48, u8::try_from(name.len()).unwrap()];
        content.extend_from_slice(name.as_bytes());
        content.push(0);
        assert_eq!(
            Reader::default().decode(&content),
            Err(Violation::MetadataName)
        );
    }
    check_broken("48 01 FF 00", Violation::MetadataName);
    check_broken(
        "48 01 61 00 48 01 61 00",
        Violation::MetadataRepeated { byte: 0x48 },
    );
    check_broken("00 01 00 02", Violation::MetadataRepeated { byte: 0 });
    check_broken("05 01 05 02", Violation::MetadataRepeated { byte: 5 });
}

// r[verify ext.meta.entry]
#[test]
fn an_entry_of_a_later_version_is_skipped_and_no_other() {
    let content = bytes("25 02 AABB 20 00 00 07 25 00");
    let mut reader = Reader::default();
    let found = reader.decode(&content).unwrap();
    assert_eq!(found.deadline, Some(Some(7)));
    for byte in [
        0x06, 0x07, 0x0C, 0x0F, 0x10, 0x1F, 0x41, 0x42, 0x44, 0x80, 0xFF,
    ] {
        let content = [byte, 0, 0, 0, 0];
        let expected = Err(Violation::MetadataEntry { byte });
        assert_eq!(Reader::default().decode(&content), expected);
    }
}

// r[verify ext.content.exact]
#[test]
fn every_prefix_breaks_or_ends_with_an_entry() {
    let content = bytes(&format!(
        "01 3075 04 {} 05 03 0B 00000000 25 02 AABB 4C 01 61 01 FF 50 00 0100 FF 68 01 62 00",
        "07".repeat(25)
    ));
    let ends = [0, 3, 29, 31, 36, 40, 45, 50, 54];
    assert_eq!(content.len(), 54);
    for end in 0..=content.len() {
        let found = Reader::default().decode(&content[..end]).err();
        let expected = (!ends.contains(&end)).then_some(malformed("Metadata"));
        assert_eq!(found, expected, "after {end} bytes");
    }
}

// r[verify ext.meta.trace]
#[test]
fn a_trace_without_an_id_is_none() {
    for (trace_id, parent_id) in [([0; 16], [1; 8]), ([1; 16], [0; 8]), ([0; 16], [0; 8])] {
        let trace = Trace {
            trace_id,
            parent_id,
            flags: 1,
        };
        let mut content = vec![TRACE];
        content.extend_from_slice(&trace_id);
        content.extend_from_slice(&parent_id);
        content.push(1);
        assert_eq!(Reader::default().decode(&content).unwrap().trace, None);
        let metadata = Metadata {
            trace: Some(trace),
            ..Metadata::default()
        };
        let mut dst = Vec::new();
        Writer::encode_whole(&metadata, 8_192, &mut dst).unwrap();
        assert!(dst.is_empty());
    }
}

// r[verify ext.meta.secret]
#[test]
fn a_secret_is_written_as_one_and_not_shown() {
    let metadata = Metadata {
        entries: vec![Entry {
            name: "authorization",
            value: b"hunter2",
            is_secret: true,
        }],
        ..Metadata::default()
    };
    let content = written(&mut Writer::default(), &metadata);
    assert_eq!(content[..3], [0x60, 2, 7]);
    let found = Reader::default();
    let mut found = found;
    let text = format!("{:?}", found.decode(&content).unwrap());
    assert!(text.contains("secret_bytes: 7"), "{text}");
    assert!(!text.contains("104"), "{text}");
}
