use sockety::Uuid;

/// Where an id is in a pattern for [`ids_of`].
const ID: &str = "<id>";

/// Bytes from hexadecimal digits; white space does not matter.
pub(crate) fn bytes(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in {digits}");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// Hexadecimal digits of bytes.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digits = |byte: &u8| format!("{byte:02x}");
    bytes.as_ref().iter().map(digits).collect()
}

/// How many bytes a pattern matches.
pub(crate) fn length(pattern: &str) -> usize {
    let parts = pattern.split(ID).map(|part| bytes(part).len());
    parts.sum::<usize>() + 16 * pattern.matches(ID).count()
}

/// Compares bytes with a pattern, in which `<id>` matches any version-4 id; returns the ids.
pub(crate) fn ids_of(pattern: &str, mut found: &[u8]) -> Vec<Uuid> {
    let all = hex(found);
    let mut ids = Vec::new();
    for (index, part) in pattern.split(ID).enumerate() {
        if index > 0 {
            let (id, rest) = found.split_first_chunk::<16>().expect("an id");
            ids.push(Uuid::from_bytes(*id));
            found = rest;
        }
        let part = bytes(part);
        assert!(
            found.starts_with(&part),
            "expected {pattern}, found {all}, which differs at {}",
            hex(found)
        );
        found = &found[part.len()..];
    }
    assert!(found.is_empty(), "expected {pattern}, found {all}");
    for id in &ids {
        assert_eq!(id.get_version_num(), 4, "{id}");
        assert_eq!(id.as_bytes()[8] >> 6, 0b10, "the variant of {id}");
    }
    ids
}
