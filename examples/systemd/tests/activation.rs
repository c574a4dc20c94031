//! Runs the service as systemd does: with sockets from descriptor 3 on, and a socket for what it
//! says of its state.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sockety::{Outcome, service};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);

/// What the clients of the service know.
#[service]
trait Reports {
    async fn pages(&self) -> u32;
    async fn print(&self, pages: u32) -> String;
}

/// Between `fork` and `exec`, systemd sets the id of the process that is to take the sockets. A
/// shell that replaces itself by the service can do the same. It gets the sockets as its standard
/// input and output, the only descriptors that `Command` can pass.
const AS_SYSTEMD: &str = r#"
exec 3<&0 4>&1 </dev/null >/dev/null
export LISTEN_PID=$$ LISTEN_FDS=2
exec "$0"
"#;

/// The same with one descriptor.
const WITH_ONE: &str = r#"
exec 3<&0 </dev/null
export LISTEN_PID=$$ LISTEN_FDS=1
exec "$0"
"#;

/// The service while it runs. It is killed when this is dropped.
struct Service {
    process: Child,
    states: UnixDatagram,
}

impl Service {
    fn start(tcp: &TcpListener, unix: &UnixListener, folder: &Path) -> Self {
        let path = folder.join("notify");
        let states = UnixDatagram::bind(&path).expect("bound");
        states.set_read_timeout(Some(PATIENCE)).expect("an option");
        let (tcp, unix) = (tcp.try_clone(), unix.try_clone());
        let process = Command::new("sh")
            .args(["-c", AS_SYSTEMD, env!("CARGO_BIN_EXE_sockety-systemd")])
            .env("NOTIFY_SOCKET", path)
            .stdin(Stdio::from(OwnedFd::from(tcp.expect("a clone"))))
            .stdout(Stdio::from(OwnedFd::from(unix.expect("a clone"))))
            .spawn()
            .expect("a shell");
        Self { process, states }
    }

    /// What it says next.
    fn state(&self) -> String {
        let mut state = [0; 256];
        let size = self.states.recv(&mut state).expect("it says something");
        String::from_utf8_lossy(&state[..size]).trim().to_owned()
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("it runs");
    }

    async fn end(&mut self) -> ExitStatus {
        let ending = async {
            loop {
                if let Some(status) = self.process.try_wait().expect("a child") {
                    break status;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, ending).await.expect("it ends")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_service_serves_the_sockets_of_systemd_and_finishes_calls_at_sigterm() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("reports.sock");
    // As systemd leaves them: blocking.
    let tcp = TcpListener::bind("127.0.0.1:0").expect("bound");
    let unix = UnixListener::bind(&path).expect("bound");
    let mut service = Service::start(&tcp, &unix, folder.path());
    assert_eq!(service.state(), "READY=1");

    let address = tcp.local_addr().expect("an address");
    let over_tcp = ReportsClient::connect(address).await.expect("connected");
    let over_unix = ReportsClient::connect(&*path).await.expect("connected");
    let printing = tokio::spawn(over_tcp.print(2).into_future());
    for client in [&over_tcp, &over_unix] {
        // On the first connection, printing has begun then.
        assert_eq!(client.pages().await.expect("answered"), 7);
    }
    service.terminate();
    assert_eq!(service.state(), "STOPPING=1");
    let printed = printing.await.expect("no panic").expect("finished");
    assert_eq!(printed, "2 pages");
    assert!(service.end().await.success());
    for client in [&over_tcp, &over_unix] {
        let error = client.pages().await.expect_err("it has gone");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }

    // The sockets are still there. Clients that connect before the service runs again wait.
    let waiting = ReportsClient::connect(&*path).into_future();
    let waiting = tokio::spawn(waiting);
    drop(service);
    std::fs::remove_file(folder.path().join("notify")).expect("removed");
    let service = Service::start(&tcp, &unix, folder.path());
    assert_eq!(service.state(), "READY=1");
    let again = waiting.await.expect("no panic").expect("connected");
    assert_eq!(again.pages().await.expect("answered"), 7);
}

#[tokio::test]
async fn the_service_serves_although_it_cannot_notify() {
    for place in ["", "/nowhere/notify"] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sockety-systemd"))
            .arg("127.0.0.1:0")
            .env("NOTIFY_SOCKET", place)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service");
        let mut said = BufReader::new(process.stderr.take().expect("piped"));
        let mut warn = || {
            let mut line = String::new();
            said.read_line(&mut line).expect("a line");
            assert!(line.starts_with("warning: cannot notify systemd"), "{line}");
        };
        warn();
        // It waits for SIGTERM.
        kill_process(Pid::from_child(&process), Signal::TERM).expect("it runs");
        warn();
        assert!(process.wait().expect("a child").success());
    }
}

/// What systemd passes to a service whose socket has `Accept=yes`.
#[test]
fn a_connection_in_place_of_a_listener_is_an_error_at_the_start() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("an address");
    let _client = TcpStream::connect(address).expect("connected");
    let (connection, _) = listener.accept().expect("accepted");
    let (unix, _other) = UnixStream::pair().expect("a pair");
    for (socket, name) in [
        (OwnedFd::from(connection), address.to_string()),
        (OwnedFd::from(unix), "unnamed Unix socket".to_owned()),
    ] {
        let output = Command::new("sh")
            .args(["-c", WITH_ONE, env!("CARGO_BIN_EXE_sockety-systemd")])
            .stdin(Stdio::from(socket))
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!(
            "sockety-systemd: cannot serve descriptor 3: {name} is not a listening socket\n"
        );
        assert_eq!((output.status.code(), &*said), (Some(1), &*expected));
    }
}
