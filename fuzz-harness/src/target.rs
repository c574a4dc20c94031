use crate::{
    connection, credit, decode_encode, decode_split, differential, encode_script, extension,
    file_name, msgpack_check, msgpack_read, two_peers,
};

/// Something that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also that of its corpus.
    pub name: &'static str,
    /// Judges one input; panics when something is wrong.
    pub run: fn(&[u8]),
    /// Inputs beyond the corpus that a short test makes: as many as take a few seconds without optimization.
    pub runs: u32,
    /// What comes before the bytes of a connection to make them an input of this target.
    pub prefix: Option<&'static [u8]>,
}

/// Everything that is fuzzed.
pub const TARGETS: [Target; 12] = [
    Target {
        name: "decode_split",
        run: decode_split::run,
        runs: 6_000,
        prefix: Some(&[1, 1, 2, 3, 4]),
    },
    Target {
        name: "decode_encode",
        run: decode_encode::run,
        runs: 8_000,
        prefix: Some(&[]),
    },
    Target {
        name: "encode_script",
        run: encode_script::run,
        runs: 8_000,
        prefix: None,
    },
    Target {
        name: "extension",
        run: extension::run,
        runs: 30_000,
        prefix: None,
    },
    Target {
        name: "differential",
        run: differential::run,
        runs: 10_000,
        prefix: Some(&[0]),
    },
    Target {
        name: "connection_server",
        run: connection::serving,
        runs: 2_000,
        prefix: Some(connection::RAW),
    },
    Target {
        name: "connection_client",
        run: connection::calling,
        runs: 2_000,
        prefix: Some(connection::RAW),
    },
    Target {
        name: "two_peers",
        run: two_peers::run,
        runs: 1_500,
        prefix: None,
    },
    Target {
        name: "msgpack_check",
        run: msgpack_check::run,
        runs: 20_000,
        prefix: None,
    },
    Target {
        name: "msgpack_read",
        run: msgpack_read::run,
        runs: 10_000,
        prefix: None,
    },
    Target {
        name: "file_name",
        run: file_name::run,
        runs: 10_000,
        prefix: None,
    },
    Target {
        name: "credit",
        run: credit::run,
        runs: 20_000,
        prefix: None,
    },
];

/// Judges one input of the target with this name; panics when something is wrong, or there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target").run)(input);
}
