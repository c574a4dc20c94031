//! Codes, and what causes them.

use sockety::message::{Draft, Outgoing};

use super::{Checks, expect_alive, expect_code, response};

pub(super) fn add(checks: &mut Checks) {
    checks.add("ping is accepted", |connection| async move {
        expect_alive(&connection).await
    });
    add_codes(checks);
    add_unknown_actions(checks);
    add_bad_payloads(checks);
}

fn add_codes(checks: &mut Checks) {
    // The small form has room for codes up to 15, the other has one more byte.
    for code in [0, 5, 15, 16, 255, 256, 4095] {
        checks.add(format!("code {code}"), move |connection| async move {
            expect_code(&connection, of_action("code", &code), code).await
        });
    }
    for no_code in [4096, 65_536, -1, i64::MIN, i64::MAX] {
        checks.add(
            format!("{no_code} is no code"),
            move |connection| async move {
                expect_code(&connection, of_action("code", &no_code), 4).await
            },
        );
    }
    checks.add(
        "text, a fraction and nothing are no codes",
        |connection| async move {
            expect_code(&connection, of_action("code", "5"), 4).await?;
            expect_code(&connection, of_action("code", &0.5), 4).await?;
            expect_code(&connection, &Draft::new("code"), 4).await
        },
    );
}

fn add_unknown_actions(checks: &mut Checks) {
    // The size of a name has two forms: up to 255 bytes, and more.
    for length in [1, 255, 256, 65_535] {
        let what = format!("unknown action of {length} bytes");
        checks.add(what, move |connection| async move {
            let unknown = Draft::new("x".repeat(length));
            expect_code(&connection, &unknown, 2).await?;
            expect_alive(&connection).await
        });
    }
    checks.add(
        "unknown actions with names like known ones",
        |connection| async move {
            for name in ["Ping", "ping ", "pin", "pings", "pïng", "ping\0", ""] {
                let unknown = expect_code(&connection, &Draft::new(name), 2).await;
                unknown.map_err(|error| format!("{name:?}: {error}"))?;
            }
            Ok(())
        },
    );
}

fn add_bad_payloads(checks: &mut Checks) {
    let broken: [(&str, &[u8]); 6] = [
        ("no payload", b""),
        ("the byte that MessagePack never uses", b"\xC1"),
        ("text that is cut", b"\xA5abc"),
        ("an array that lacks a value", b"\x92\x01"),
        (
            "an array that declares 2^32 - 1 values",
            b"\xDD\xFF\xFF\xFF\xFF",
        ),
        ("two values", b"\x01\x02"),
    ];
    for (what, payload) in broken {
        checks.add(
            format!("echo of {what} is code 4"),
            move |connection| async move {
                let message = Draft::new("echo").data().create(payload);
                expect_code(&connection, message, 4).await?;
                expect_alive(&connection).await
            },
        );
    }
    checks.add(
        "download of what is no list of files is code 4",
        |connection| async move {
            let message = |value: &str| of_action("download", value);
            expect_code(&connection, message("a file"), 4).await?;
            expect_code(&connection, of_action("download", &[1, 2]), 4).await?;
            expect_code(&connection, &Draft::new("download"), 4).await
        },
    );
    checks.add(
        "an action ignores a payload that it does not take",
        |connection| async move {
            let cut = Draft::new("ping").with_data(&b"\xA5abc"[..]);
            expect_code(&connection, &cut, 0).await?;
            let cut = Draft::new("notes").with_data(&b"\xA5abc"[..]);
            response(&connection, &cut).await.map(drop)
        },
    );
}

/// A message with a value.
fn of_action<T: serde::Serialize + ?Sized>(action: &str, value: &T) -> Outgoing {
    Draft::new(action).msgpack::<T>().create(value)
}
