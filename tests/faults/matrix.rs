//! Every state of a call with every fault of the link or the peer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sockety::{
    ByteStream, CallError, File, Options, Outcome,
    config::Extension,
    error::{NoError, chain},
};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::proxy::{Mode, Proxy, Trigger};
use crate::{Gauge, Ledger, PATIENCE, Process, SECOND, UnlimitedClient, WorkClient, explain};

/// What a call is doing when the fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    S0Handshake,
    S1Idle,
    S2Header,
    S3Payload,
    S4Stream,
    S5File,
    S6Waiting,
    S7Reply,
    S8Draining,
    S9Shutdown,
}

const STATES: [State; 10] = [
    State::S0Handshake,
    State::S1Idle,
    State::S2Header,
    State::S3Payload,
    State::S4Stream,
    State::S5File,
    State::S6Waiting,
    State::S7Reply,
    State::S8Draining,
    State::S9Shutdown,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Kill,
    Reset,
    End,
    LinkDown,
    NeverReads,
    Stop,
    Corrupt,
    SlowLink,
    Terminate,
    OneWayLoss,
    Slices,
    SlowClose,
}

const FAULTS: [Fault; 12] = [
    Fault::Kill,
    Fault::Reset,
    Fault::End,
    Fault::LinkDown,
    Fault::NeverReads,
    Fault::Stop,
    Fault::Corrupt,
    Fault::SlowLink,
    Fault::Terminate,
    Fault::OneWayLoss,
    Fault::Slices,
    Fault::SlowClose,
];

/// The faults that are always run, with the states that are.
const ALWAYS: usize = 8;
const ALWAYS_STATES: [State; 3] = [State::S3Payload, State::S4Stream, State::S6Waiting];

/// Cells at the same time.
const AT_ONCE: usize = 8;

/// Bytes of what is large, and how many of them pass before the fault.
const SIZE: u64 = 400_000;
const PART: u64 = 100_000;

/// How much more memory a server may have after a cell, in kilobytes.
const MEMORY: u64 = 32 * 1024;

const CALL: u64 = 1;

/// Clocks that make a cell short.
pub(crate) fn short() -> Options {
    Options::default()
        .extension(Extension::Auto)
        .handshake_timeout(4 * SECOND)
        .heartbeat(SECOND)
        .idle_timeout(Some(4 * SECOND))
        .write_stall(4 * SECOND)
        .call_timeout(Some(20 * SECOND))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing is lost but time.
    Harmless,
    /// The connection is gone, and this side learns of that or finds out.
    Lost,
    /// The peer ends in order.
    Orderly,
}

impl Fault {
    fn kind(self) -> Kind {
        match self {
            Self::SlowLink | Self::Slices | Self::SlowClose => Kind::Harmless,
            Self::Terminate => Kind::Orderly,
            Self::Kill
            | Self::Reset
            | Self::End
            | Self::LinkDown
            | Self::NeverReads
            | Self::Stop
            | Self::Corrupt
            | Self::OneWayLoss => Kind::Lost,
        }
    }

    /// What the link does from the beginning.
    fn beginning(self) -> Mode {
        match self {
            // 1 Mbit/s.
            Self::SlowLink => Mode::Rate(125_000),
            Self::Slices => Mode::Slices,
            Self::SlowClose => Mode::SlowClose,
            _ => Mode::Pass,
        }
    }

    async fn strike(self, process: &Process, proxy: &Proxy) {
        let mode = match self {
            Self::Kill => {
                process.signal(Signal::KILL);
                process.is_in_state('Z').await;
                Mode::Pass
            }
            Self::Stop => {
                process.signal(Signal::STOP);
                process.is_in_state('T').await;
                Mode::Pass
            }
            Self::Terminate => {
                process.signal(Signal::TERM);
                Mode::Pass
            }
            Self::Reset => Mode::Reset,
            Self::End => Mode::End,
            Self::LinkDown => Mode::Swallow,
            Self::OneWayLoss => Mode::SwallowToClient,
            Self::NeverReads => Mode::NeverRead,
            Self::Corrupt => Mode::Corrupt,
            Self::SlowLink | Self::Slices | Self::SlowClose => self.beginning(),
        };
        proxy.set(mode);
    }
}

impl State {
    fn trigger(self) -> Trigger {
        let (to_server, to_client) = match self {
            // The connection header, and a part of the head of the message.
            Self::S2Header => (Some(15), None),
            Self::S3Payload | Self::S4Stream | Self::S5File | Self::S8Draining => {
                (Some(PART), None)
            }
            Self::S7Reply => (None, Some(PART)),
            Self::S0Handshake | Self::S1Idle | Self::S6Waiting | Self::S9Shutdown => (None, None),
        };
        Trigger {
            to_server,
            to_client,
        }
    }

    fn is_triggered(self) -> bool {
        let trigger = self.trigger();
        trigger.to_server.or(trigger.to_client).is_some()
    }

    /// The outcomes that a call in this state may have.
    fn allows(self, fault: Fault, outcome: Outcome) -> bool {
        use Outcome::{NotExecuted, NotSent, Replied, Unknown};
        match (fault.kind(), self) {
            // All of it was read before.
            (_, Self::S6Waiting | Self::S9Shutdown) if fault == Fault::NeverReads => {
                outcome == Replied
            }
            // TLS has not even begun.
            (_, Self::S2Header) if fault == Fault::Corrupt => outcome == NotSent,
            (Kind::Harmless, Self::S8Draining) => outcome == NotExecuted,
            (Kind::Harmless, _) => outcome == Replied,
            (Kind::Lost, Self::S2Header | Self::S3Payload | Self::S4Stream | Self::S5File)
            | (Kind::Lost, Self::S6Waiting | Self::S9Shutdown) => outcome == Unknown,
            (Kind::Lost, Self::S0Handshake | Self::S1Idle) => {
                matches!(outcome, NotSent | Unknown)
            }
            // The answer may have come before.
            (Kind::Lost, Self::S7Reply) => matches!(outcome, Replied | Unknown),
            (Kind::Lost, Self::S8Draining) => matches!(outcome, NotExecuted | Unknown),
            // What was accepted is finished in the time that it takes.
            (Kind::Orderly, _) => matches!(outcome, Replied | NotExecuted | NotSent | Unknown),
        }
    }
}

/// What came of a cell.
struct Verdict {
    outcome: Outcome,
    begun: usize,
    took: Duration,
    error: String,
}

async fn cell(state: State, fault: Fault, extension: Extension) -> Verdict {
    let (process, tls) = if fault == Fault::Corrupt {
        let (process, tls) = Process::start_with_tls(true);
        (process, Some(tls))
    } else {
        (Process::start_short(), None)
    };
    let direct = connect(process.address.port(), tls.clone(), extension)
        .await
        .expect("it serves");
    let before = direct.gauge().await.expect("a gauge");
    let mode = fault.beginning();
    let proxy = Proxy::start(process.address, mode, state.trigger()).await;
    if state == State::S0Handshake {
        fault.strike(&process, &proxy).await;
    }
    let begun = Instant::now();
    let port = proxy.address.port();
    let (result, whole) = match connect(port, tls.clone(), extension).await {
        Ok(work) => {
            let calling = call(state, &work);
            let striking = strike(state, fault, &process, &proxy, &work);
            tokio::join!(calling, striking).0
        }
        Err(error) => (Err((Outcome::NotSent, error)), true),
    };
    let took = begun.elapsed();
    assert!(whole, "a part was given as a whole");
    let (outcome, error) = match result {
        Ok(()) => (Outcome::Replied, String::new()),
        Err(failed) => failed,
    };
    drop(proxy);
    let folder = process.folder.path().join("files");
    let ledger = end(fault, process, direct, before).await;
    check_files(&folder);
    Verdict {
        outcome,
        begun: ledger.begun(CALL),
        took,
        error,
    }
}

/// Servers offer the extension, so that the client decides.
async fn connect(
    port: u16,
    tls: Option<sockety::tls::TlsClient>,
    extension: Extension,
) -> Result<WorkClient, String> {
    let options = short().extension(extension);
    let mut connecting = WorkClient::connect(("localhost", port)).options(options);
    if let Some(tls) = tls {
        connecting = connecting.tls(tls);
    }
    connecting.await.map_err(|error| chain(&error).to_string())
}

type Result<T, E = (Outcome, String)> = std::result::Result<T, E>;

/// Makes the call, which may have got so far when the fault comes. Gives also whether nothing was taken for whole that was
/// not.
async fn call(state: State, work: &WorkClient) -> (Result<()>, bool) {
    let text = || "x".repeat(SIZE as usize);
    let whole = |result: Result<u64, CallError<NoError>>| match result {
        // The handler says what it got: nothing else is an answer that is right.
        Ok(size) => (Ok(()), size == SIZE),
        Err(error) => (Err(told(error)), true),
    };
    match state {
        State::S0Handshake => (work.wait(CALL, 0).await.map_err(told), true),
        // The fault comes first.
        State::S1Idle => {
            sleep(SECOND).await;
            (work.wait(CALL, 0).await.map_err(told), true)
        }
        State::S2Header => (work.wait(CALL, 0).await.map_err(told), true),
        State::S3Payload => whole(work.gather(CALL, text()).await),
        State::S4Stream => {
            let stream = ByteStream::from_reader(std::io::Cursor::new(text()));
            whole(work.listen(CALL, stream).await)
        }
        State::S5File => whole(work.store(CALL, File::from_bytes("file", text())).await),
        State::S6Waiting | State::S9Shutdown => (work.wait(CALL, 4000).await.map_err(told), true),
        State::S7Reply => match work.tell(CALL, SIZE).await {
            Ok(stream) => (Ok(()), read(stream).await.is_none_or(|size| size == SIZE)),
            Err(error) => (Err(told(error)), true),
        },
        State::S8Draining => {
            let unlimited = UnlimitedClient::new(work.connection().clone());
            (unlimited.small(CALL, text()).await.map_err(told), true)
        }
    }
}

fn told(error: CallError<NoError>) -> (Outcome, String) {
    (error.outcome(), explain(&error))
}

/// How long a stream is, if it has an end.
async fn read(mut stream: ByteStream) -> Option<u64> {
    let mut size = 0;
    while let Some(chunk) = stream.next_chunk().await.ok()? {
        size += chunk.len() as u64;
    }
    Some(size)
}

/// Lets the fault come when the call has got so far.
async fn strike(state: State, fault: Fault, process: &Process, proxy: &Proxy, work: &WorkClient) {
    match state {
        State::S0Handshake => return,
        State::S1Idle => {}
        _ if state.is_triggered() => proxy.triggered().await,
        // The call was sent before this one, which is answered.
        _ => drop(work.gauge().await),
    }
    fault.strike(process, proxy).await;
    if state == State::S9Shutdown {
        work.connection().shutdown(10 * SECOND).await;
    }
}

/// Looks whether the server has all back that it had, and ends it.
async fn end(fault: Fault, process: Process, direct: WorkClient, before: Gauge) -> Ledger {
    match fault {
        Fault::Kill => {
            drop(direct);
            return process.killed().await;
        }
        Fault::Terminate => {
            drop(direct);
            let mut process = process;
            return process.wait().await.1;
        }
        Fault::Stop => process.signal(Signal::CONT),
        _ => {}
    }
    drop(direct);
    // It stood still for longer than its clients wait, so it is asked anew.
    let gauge = timeout(PATIENCE, async {
        loop {
            if let Some(gauge) = look(&process).await
                && gauge.tasks <= before.tasks
                && gauge.files <= before.files
            {
                return gauge;
            }
            sleep(SECOND / 5).await;
        }
    });
    let after = gauge.await.expect("tasks and descriptors come back");
    assert!(
        after.memory <= before.memory + MEMORY,
        "{before:?}, {after:?}"
    );
    let (status, ledger) = process.terminate().await;
    assert!(status.success());
    ledger
}

async fn look(process: &Process) -> Option<Gauge> {
    let work = match process.folder.path().join("certificate") {
        certificate if certificate.exists() => {
            let roots = sockety::tls::Roots::from_pem(std::fs::read(certificate).ok()?).ok()?;
            connect(
                process.address.port(),
                Some(sockety::tls::TlsClient::new(&roots)),
                Extension::Auto,
            )
            .await
        }
        _ => connect(process.address.port(), None, Extension::Auto).await,
    };
    work.ok()?.gauge().await.ok()
}

/// What has its name is whole.
fn check_files(folder: &std::path::Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("an entry");
        if entry.file_name() == "file" {
            assert_eq!(entry.metadata().expect("a file").len(), SIZE);
        }
    }
}

/// Runs one cell, and says what is wrong with it, if anything is.
async fn judge(state: State, fault: Fault, extension: Extension) -> (String, Option<String>) {
    let running = tokio::spawn(timeout(2 * PATIENCE, cell(state, fault, extension)));
    let verdict = match running.await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => return ("hangs".into(), Some("it hangs".into())),
        Err(panic) => return ("panics".into(), Some(panic.to_string())),
    };
    let Verdict {
        outcome,
        begun,
        took,
        error,
    } = verdict;
    let is_true = match outcome {
        Outcome::NotSent | Outcome::NotExecuted => begun == 0,
        Outcome::Unknown => begun <= 1,
        Outcome::Executed | Outcome::Replied => begun == 1,
    };
    let word = format!("{outcome:?}/{begun} {:.1} s", took.as_secs_f64());
    let is_right = is_true && state.allows(fault, outcome);
    let wrong = (!is_right).then(|| format!("{word}: {error}"));
    (word, wrong)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_the_matrix_has_a_true_outcome() {
    let all = std::env::var("SOCKETY_FAULTS").is_ok_and(|which| which == "all");
    let (states, faults) = if all {
        (&STATES[..], &FAULTS[..])
    } else {
        println!("24 of 240 cells; SOCKETY_FAULTS=all runs all of them");
        (&ALWAYS_STATES[..], &FAULTS[..ALWAYS])
    };
    // Both with and without the extension, or every other cell with it.
    let extensions = |state: usize, fault: usize| match all {
        true => vec![Extension::Off, Extension::Auto],
        false if usize::is_multiple_of(state + fault, 2) => vec![Extension::Off],
        false => vec![Extension::Auto],
    };
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = Vec::new();
    for (row, &state) in states.iter().enumerate() {
        for (column, &fault) in faults.iter().enumerate() {
            for extension in extensions(row, column) {
                let at_once = Arc::clone(&at_once);
                let cell = tokio::spawn(async move {
                    let _place = at_once.acquire().await.expect("open");
                    judge(state, fault, extension).await
                });
                running.push((state, fault, extension, cell));
            }
        }
    }
    let (mut words, mut wrongs) = (BTreeMap::new(), String::new());
    for (state, fault, extension, cell) in running {
        let (word, wrong) = cell.await.expect("no panic");
        let words: &mut String = words.entry((state, fault)).or_default();
        *words += &word;
        if let Some(wrong) = wrong {
            let _ = writeln!(wrongs, "{state:?}, {fault:?}, {extension:?}: {wrong}");
        }
    }
    println!("{}", table(states, faults, &words));
    assert!(wrongs.is_empty(), "\n{wrongs}");
    let gone = timeout(PATIENCE, async {
        while tasks() > before {
            sleep(SECOND / 10).await;
        }
    });
    gone.await.expect("no task is left of the clients");
}

fn table(states: &[State], faults: &[Fault], words: &BTreeMap<(State, Fault), String>) -> String {
    let mut table = format!("{:12}", "");
    for fault in faults {
        let _ = write!(table, "{:20}", format!("{fault:?}"));
    }
    for &state in states {
        let _ = write!(table, "\n{:12}", format!("{state:?}"));
        for &fault in faults {
            let _ = write!(table, "{:20}", words[&(state, fault)]);
        }
    }
    table
}
