//! The example.

use std::{env, process::Command};

#[test]
fn a_fleet_outlives_a_killed_and_a_replaced_server() {
    let test = env::current_exe().unwrap();
    let example = test
        .parent()
        .unwrap()
        .with_file_name("examples")
        .join("fleet");
    let output = Command::new(&example).output();
    let output = output.expect("run `cargo test` without naming a test, which builds the example");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.ends_with("4 servers have answered calls, 0 calls failed\n"),
        "{text}"
    );
}
