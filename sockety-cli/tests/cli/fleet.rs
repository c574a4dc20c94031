//! `sockety fleet`, where the output is no terminal.

use std::net::TcpListener;

use serde_json::Value as Json;

use crate::{failed, server, sockety, stdout};

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The columns of a line.
fn cells(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn a_fleet_is_listed_once_if_the_output_is_no_terminal() {
    let (one, two, gone) = (server::start(), server::start(), nobody());
    let printed = stdout(&mut sockety(&format!("fleet {one},{two},{gone}")));
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 5, "{printed}");
    let head = "KEY ADDRESS STATE CONN CALLS LATENCY WEIGHT ZONE ERROR";
    assert_eq!(cells(lines[0]).join(" "), head);
    for address in [one, two] {
        let address = address.to_string();
        let line = lines.iter().find(|line| line.starts_with(&address));
        let cells = cells(line.expect("it is listed"));
        assert_eq!(&cells[..5], [&address, &address, "ready", "1", "0"]);
        let latency: f64 = cells[5].parse().expect("a latency");
        // In milliseconds: nobody answers within a microsecond, where servers begin that were not measured.
        assert!(latency > 0.001, "{printed}");
        assert_eq!(&cells[6..], ["ms", "1", "-", "-"]);
    }
    let line = lines.iter().find(|line| line.starts_with(&gone));
    let line = line.expect("it is listed");
    assert!(line.contains("cannot connect to"), "{line}");
    let state = cells(line)[2];
    assert!(["waiting", "connecting"].contains(&state), "{line}");
    assert_eq!(lines[4], "2 of 3 servers are ready");
}

#[test]
fn a_fleet_is_json_with_an_object_for_each_server() {
    let (one, gone) = (server::start().to_string(), nobody());
    let command = format!("fleet {one},{gone} --once --output json");
    let (printed, said) = failed(&mut sockety(&command), 0);
    assert_eq!(said, "");
    let endpoints: Vec<Json> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(endpoints.len(), 2, "{printed}");
    let of = |key: &str| endpoints.iter().find(|it| it["key"] == key).unwrap();
    let ready = of(&one);
    for (field, value) in [
        ("type", Json::from("endpoint")),
        ("address", one.as_str().into()),
        ("state", "ready".into()),
        ("connections", 1.into()),
        ("in_flight", 0.into()),
        ("weight", 1.into()),
        ("error", Json::Null),
        ("zone", Json::Null),
    ] {
        assert_eq!(ready[field], value, "{field} in {printed}");
    }
    assert!(ready["latency_ms"].as_f64().unwrap() > 0.001, "{printed}");
    let error = of(&gone)["error"].as_str().unwrap();
    assert!(error.starts_with("cannot connect to"), "{error}");
    assert_eq!(of(&gone)["latency_ms"], Json::Null);
}

#[test]
fn a_fleet_without_a_server_fails() {
    let gone = nobody();
    let (printed, _) = failed(&mut sockety(&format!("fleet {gone}")), 3);
    assert!(printed.ends_with("0 of 1 servers are ready\n"), "{printed}");

    // A listener that says nothing is neither: the list ends with its time.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let command = format!("fleet {address} --timeout 200ms --output json");
    let (printed, _) = failed(&mut sockety(&command), 3);
    assert!(printed.contains(r#""state":"connecting""#), "{printed}");
}

#[test]
fn what_names_no_fleet_is_a_usage_error() {
    let (_, said) = failed(&mut sockety("fleet localhost"), 2);
    let problem = "fleet \"localhost\" has the address \"localhost\", which has no port";
    assert!(said.contains(problem), "{said}");
    let (_, said) = failed(&mut sockety("fleet ,"), 2);
    assert!(said.contains("names no server"), "{said}");
}

#[test]
fn a_fleet_may_be_authorized_by_the_first_message_of_each_connection() {
    let address = server::start_authorizing();
    let mut command = sockety(&format!("fleet {address} --first auth --output json"));
    let (printed, _) = failed(command.env("SOCKETY_TOKEN", server::TOKEN), 0);
    assert!(printed.contains(r#""state":"ready""#), "{printed}");

    let mut command = sockety(&format!("fleet {address} --first auth --output json"));
    let (printed, _) = failed(command.env("SOCKETY_TOKEN", "another"), 3);
    assert!(printed.contains("code 3 (Unauthorized)"), "{printed}");
    assert!(!printed.contains("another"), "{printed}");
}
