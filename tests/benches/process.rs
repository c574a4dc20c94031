//! The server of a measurement, as a separate process.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockety::{
    Server,
    message::ResponseDraft,
    serve::{Message, MessageHandler},
    server::ServerHandle,
};

/// The first argument of a server's process.
pub(crate) const SERVER: &str = "server";

/// Serves until its input ends, and says its statistics for every line of it.
pub(crate) async fn serve(server: Server) {
    allow_many_files();
    let handle = server.handle();
    say(format_args!(
        "{}",
        server.local_addr().expect("bound").port()
    ));
    std::thread::spawn(move || answer(&handle));
    server.serve(handler()).await.expect("served");
}

/// Answers `echo` with what it is sent and `ping` with code 0, and never ends `hold`.
fn handler() -> MessageHandler {
    MessageHandler::new()
        .action("ping", |_| async { sockety::FastReply::ACCEPT })
        .action("echo", |message: Message| async move {
            let echo = ResponseDraft::new().with_data(message.payload().clone());
            Ok::<_, sockety::serve::BoxError>(message.respond(&echo).await?)
        })
        .action("hold", |message: Message| async move {
            std::future::pending::<()>().await;
            drop(message);
        })
}

fn answer(handle: &ServerHandle) {
    for line in io::stdin().lines() {
        line.expect("readable");
        let stats = handle.stats();
        let peers = format!("{:?}", stats.peers);
        let (_, peers) = peers.split_once('{').expect("fields");
        let seen = peers.trim_end_matches('}').trim().split(", ");
        let seen: Vec<_> = seen.filter(|field| !field.ends_with(": 0")).collect();
        say(format_args!(
            "{} accepted; {}",
            stats.accepted,
            seen.join(", ")
        ));
    }
    std::process::exit(0);
}

pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").expect("somebody reads");
    output.flush().expect("somebody reads");
}

/// As many files as the system lets this process have.
pub(crate) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, all).expect("its own limit");
}

/// A running server.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// This program, with these arguments after [`SERVER`].
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env::current_exe().expect("a name"))
            .arg(SERVER)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut port = String::new();
        output.read_line(&mut port).expect("a port");
        let port = port.trim().parse::<u16>().expect("a port");
        Self {
            child,
            input,
            output,
            address: ([127, 0, 0, 1], port).into(),
        }
    }

    /// Its statistics, without what is zero.
    #[allow(dead_code, reason = "not every measurement asks for them")]
    pub(crate) fn stats(&mut self) -> String {
        writeln!(self.input).expect("it runs");
        let mut stats = String::new();
        self.output.read_line(&mut stats).expect("it runs");
        stats.trim().to_owned()
    }

    /// What it holds in memory, in KiB.
    #[allow(dead_code, reason = "not every measurement asks for it")]
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.split_whitespace().next());
        size.expect("a size").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the figures depend on.
#[allow(clippy::print_stdout, reason = "it is what the programs are for")]
pub(crate) fn print_surroundings() {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "sockety {}, Linux {}, {cores} cores of{}\n",
        env!("CARGO_PKG_VERSION"),
        kernel.trim(),
        model.unwrap_or(": unknown").trim_start_matches(['\t', ' ']),
    );
}
