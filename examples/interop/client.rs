//! The client: runs the checks in sequence.

use std::time::Duration;

use sockety::{error::chain, serve::BoxError};

use crate::{
    checks::{self, Check},
    say,
    tls::Tls,
};

/// Time limit for a check, so that no server, however wrong, can hang the client.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Longest line that is printed for a check.
const REASON_CHARS: usize = 300;

/// Returns whether the server on this port passes all checks.
pub async fn run(port: u16, tls: Option<Tls>) -> bool {
    let (mut passed, mut failed) = (0, 0);
    for (number, check) in (1..).zip(checks::all(port, tls)) {
        let Check { what, run } = check;
        match within_limit(run).await {
            Ok(()) => {
                passed += 1;
                say(format_args!("PASS {number:02} {what}"));
            }
            Err(error) => {
                failed += 1;
                let reason = one_line(&chain(&*error).to_string());
                say(format_args!("FAIL {number:02} {what}: {reason}"));
            }
        }
    }
    say(format_args!("{passed} passed, {failed} failed"));
    failed == 0
}

async fn within_limit(run: checks::Run) -> Result<(), BoxError> {
    // As a task, so that a panic fails only its own check, and the limit holds whatever the check
    // does.
    let mut task = tokio::spawn(run);
    match tokio::time::timeout(TIME_LIMIT, &mut task).await {
        Ok(done) => done?,
        Err(_) => {
            task.abort();
            Err(format!("not done after {TIME_LIMIT:?}").into())
        }
    }
}

fn one_line(text: &str) -> String {
    let text = text.chars().take(REASON_CHARS);
    text.flat_map(char::escape_debug).collect()
}
