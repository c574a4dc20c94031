use std::process::{Command, Stdio};

use crate::{Running, failed, server, sockety, stdout};

#[test]
fn colours_are_for_terminals_and_who_wants_them() {
    let address = server::start();
    let said = |arguments: &str, variable: Option<&str>| {
        let mut call = sockety(&format!("{arguments} call {address} ping"));
        call.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        if let Some(variable) = variable {
            call.env(variable, "1");
        }
        failed(&mut call, 0).1
    };
    assert!(!said("", None).contains('\x1b'));
    assert!(said("--color always", None).contains(&format!("\x1b[32mping at {address}: code 0")));
    assert!(said("", Some("CLICOLOR_FORCE")).contains('\x1b'));
    assert!(!said("", Some("NO_COLOR")).contains('\x1b'));
    assert!(!said("--color never", Some("CLICOLOR_FORCE")).contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let address = server::start();
    let mut call = Command::new(env!("CARGO_BIN_EXE_sockety"))
        .args([
            "call",
            &address.to_string(),
            "raw",
            "--json",
            "[1]",
            "--repeat",
            "100000",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(call.stdout.take());
    let output = call.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), &output.stderr[..]),
        (Some(0), &b""[..])
    );

    // A proxy ends too, at the first line that it cannot print.
    let mut tap = Running::start(&["tap", "127.0.0.1:0", &address.to_string()]);
    drop(tap.child.stdout.take());
    let _ = sockety(&format!("call {} ping", tap.address)).output();
    assert_eq!(tap.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_help_teaches() {
    let help = stdout(&mut sockety("--help"));
    for command in [
        "call", "pass", "listen", "describe", "check", "ping", "bench", "fleet", "tap", "decode",
    ] {
        assert!(help.contains(&format!("  {command} ")), "{help}");
        let help = stdout(&mut sockety(&format!("{command} --help")));
        assert!(help.contains(&format!("sockety {command} ")), "{help}");
        assert!(help.contains("Examples:"), "{help}");
    }
    assert!(
        help.contains("  4  sent, but it is unknown whether it was executed"),
        "{help}"
    );
}

#[test]
fn there_are_manual_pages() {
    let page = stdout(&mut sockety("man"));
    assert!(page.contains(".TH sockety 1"), "{page}");
    assert!(page.contains("safe to repeat"), "{page}");
    let page = stdout(&mut sockety("man call"));
    for part in [
        ".TH sockety-call 1",
        "\\-\\-first\\-json",
        "SOCKETY_TOKEN",
        "thumbnail",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let page = stdout(&mut sockety("man fleet"));
    assert!(page.contains(".TH sockety-fleet 1"), "{page}");
    let (_, said) = failed(&mut sockety("man nothing"), 2);
    assert!(said.contains("no command \"nothing\""), "{said}");
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_and_options() {
    let script = stdout(&mut sockety("completions bash"));
    let complete = |words: &str, word: usize| {
        let asking = format!(
            "{script}\nCOMP_WORDS=({words})\nCOMP_CWORD={word}\n\
             _sockety sockety \"${{COMP_WORDS[{word}]}}\" \"${{COMP_WORDS[{word} - 1]}}\"\n\
             echo \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").arg("-c").arg(asking).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("sockety des", 1), "describe\n");
    assert_eq!(
        complete("sockety call --first-", 2),
        "--first-json --first-data --first-raw\n"
    );
    assert_eq!(complete("sockety listen --output js", 3), "json\n");
    assert_eq!(complete("sockety fleet --on", 2), "--once\n");
}

#[test]
fn shells_complete() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&mut sockety(&format!("completions {shell}")));
        assert!(script.contains("describe"), "{shell}");
    }
}
