//! The chat example, without terminals: lines in, lines out.

use crate::support::Running;

#[test]
fn two_clients_talk() {
    let mut server = Running::start("chat", &["server", "127.0.0.1:0"]);
    let line = server.next_line();
    let address = line
        .strip_prefix("listening on ")
        .and_then(|rest| rest.split(',').next())
        .expect("an address");

    let mut ada = Running::start("chat", &["client", address]);
    ada.types("/name ada");
    ada.prints(r"^[0-9:]{8} You are ada\.$");
    let mut bob = Running::start("chat", &["client", address]);
    for line in ["/name ada", "/name bob", "hello @ada"] {
        bob.types(line);
    }
    bob.prints(r"^ada is taken\.$");
    ada.prints("^[0-9:]{8} bob: hello @ada$");
    bob.exits_with_its_input();
    ada.prints(r"^[0-9:]{8} bob: disconnected\.$");
    ada.exits_with_its_input();
}
