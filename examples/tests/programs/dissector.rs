//! The dissector for Wireshark, on a capture that `sockety tap` makes of a scripted connection.

use std::{ffi::OsStr, path::PathBuf, time::Duration};

use assert_cmd::Command;
use expect_test::expect_file;
use tempfile::TempDir;

use crate::support::{executable, in_repository, run};

const DEADLINE: Duration = Duration::from_secs(60);

/// What a frame says. Times and ports differ from run to run.
const FIELDS: [&str; 36] = [
    "frame.number",
    "sockety.type",
    "sockety.header.channels",
    "sockety.header.offers_extension",
    "sockety.channel",
    "sockety.action",
    "sockety.payload.size",
    "sockety.files.count",
    "sockety.file.size",
    "sockety.file.name",
    "sockety.code",
    "sockety.begun_in",
    "sockety.request_in",
    "sockety.response_in",
    "sockety.ends_message",
    "sockety.stream",
    "sockety.file.content",
    "sockety.payload",
    "sockety.setting.id",
    "sockety.setting.value",
    "sockety.cancel",
    "sockety.leave.taken",
    "sockety.leave.reason",
    "sockety.leave.text",
    "sockety.ping",
    "sockety.status.error",
    "sockety.flow.entry",
    "sockety.deadline",
    "sockety.retry_after",
    "sockety.attempt",
    "sockety.trace.id",
    "sockety.trace.parent",
    "sockety.metadata.name",
    "sockety.metadata.value",
    "sockety.metadata.secret",
    "_ws.expert.message",
];

#[test]
#[ignore = "needs tshark, of Wireshark 4.0 or newer"]
fn a_capture_is_dissected() {
    let capture = Capture::make();

    let mut arguments = vec!["-Y", "sockety", "-T", "fields"];
    arguments.extend(FIELDS.iter().flat_map(|field| ["-e", field]));
    let dissected = capture.dissect(&arguments);
    expect_file!["../../../tools/wireshark/expected.txt"]
        .assert_eq(&format!("{}\n{dissected}", FIELDS.join("\t")));
    let frames = dissected.lines().count();

    let count = |arguments: &[&str]| capture.dissect(arguments).lines().count();
    assert_eq!(count(&["-Y", "sockety.time"]), 6, "replies with a time");
    assert_eq!(count(&["-Y", "_ws.malformed"]), 0, "malformed packets");
    let details = capture.dissect(&["-V"]);
    assert!(!details.contains("Lua Error"), "{details}");
    let secret = "authorization: secret of 7 bytes";
    assert!(details.contains(secret) && !details.contains("hunter2"));

    let of_upload = count(&["-R", r#"sockety.action == "upload""#]);
    assert!(
        of_upload >= 4,
        "{of_upload}: all packets of the message and the reply"
    );

    let port = capture.dissect(&[
        "-Y",
        "frame.number == 1",
        "-T",
        "fields",
        "-e",
        "tcp.dstport",
    ]);
    let port = port.trim();
    let without_heuristic = |arguments: &[&str]| {
        let fixed = ["-o", "sockety.heuristic:FALSE", "-Y", "sockety"];
        count(&[&fixed, arguments].concat())
    };
    assert_eq!(without_heuristic(&[]), 0, "the port is not known");
    let by_preference = format!("sockety.ports:{port}");
    assert_eq!(without_heuristic(&["-o", &by_preference]), frames);
    let decode_as = format!("tcp.port=={port},sockety");
    assert_eq!(without_heuristic(&["-d", &decode_as]), frames);
}

struct Capture {
    _folder: TempDir,
    file: PathBuf,
}

impl Capture {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("calls.pcap");
        let arguments = [executable("sockety"), &file];
        let arguments = arguments.map(|path| path.to_str().expect("a path of UTF-8"));
        run("capture", &arguments);
        Self {
            _folder: folder,
            file,
        }
    }

    /// What tshark prints. It must not complain.
    fn dissect(&self, arguments: &[&str]) -> String {
        let script = in_repository("tools/wireshark/sockety.lua");
        let mut tshark = Command::new("tshark");
        // In two passes: the second shows what the first has learned.
        tshark
            .args(["-2", "-X", &format!("lua_script:{}", script.display())])
            .args([OsStr::new("-r"), self.file.as_os_str()])
            .args(arguments)
            .timeout(DEADLINE);
        let done = tshark.assert().success();
        let output = done.get_output();
        let [printed, complaints] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        let complaints: Vec<&str> = complaints
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("Running as user"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        printed.into_owned()
    }
}
