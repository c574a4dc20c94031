//! Opening a link to one of several addresses: attempts are staggered, and the first link wins
//! (RFC 8305, "Happy Eyeballs").
//!
//! ```text
//! resolve all names ──▶ candidates, in the order of the list; families of one name alternate
//!                            │ the next one every 250 ms, or at once when one fails
//!                            ▼
//!                        attempts ── first link ──▶ the others are dropped
//! ```

use std::{collections::VecDeque, fmt, io, net::SocketAddr, time::Duration};

use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    address::{Address, Endpoint, Host, list::Addresses},
    error::connect::ConnectProblem,
    transport::link::Link,
};

/// The time between the starts of two attempts, unless one fails sooner.
const STAGGER: Duration = Duration::from_millis(250);

/// Opens a link to one of these addresses. Returns it with the address that won.
///
/// Dropping the future drops all attempts.
pub(super) async fn dial(
    addresses: &Addresses,
    limit: Duration,
) -> Result<(Link, &Address), ConnectProblem> {
    let mut race = Race::new(addresses);
    match timeout(limit, race.run()).await {
        Ok(Some((link, group))) => {
            let winner = addresses.iter().nth(group);
            Ok((link, winner.expect("an attempt is for one of the list")))
        }
        Ok(None) => Err(ConnectProblem::Unreachable(race.into_error())),
        Err(_) => Err(ConnectProblem::TimedOut(limit, race.into_error())),
    }
}

/// All attempts to reach one of a list of addresses.
struct Race {
    /// For each address of the list, where it may be reached.
    groups: Vec<Group>,
    /// Attempts and resolutions.
    running: JoinSet<Event>,
    /// How many attempts are running.
    attempts: usize,
    /// What was asked for an answer, in the order of the questions.
    questions: Vec<Question>,
}

enum Group {
    /// Its name is being resolved.
    Resolving,
    /// Where no attempt was made yet.
    Candidates(VecDeque<Candidate>),
}

#[derive(Debug, Clone)]
enum Candidate {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

/// An attempt, or the resolution of a name.
struct Question {
    label: String,
    failure: Option<io::Error>,
    /// A name that was resolved: each of its addresses is tried separately.
    is_settled: bool,
}

/// Whether an address whose name is still being resolved keeps its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    Overtaking,
}

enum Event {
    Resolved {
        group: usize,
        question: usize,
        found: io::Result<Vec<SocketAddr>>,
    },
    Connected {
        group: usize,
        question: usize,
        link: io::Result<Link>,
    },
}

impl Race {
    fn new(addresses: &Addresses) -> Self {
        let mut race = Self {
            groups: Vec::new(),
            running: JoinSet::new(),
            attempts: 0,
            questions: Vec::new(),
        };
        for (group, address) in addresses.iter().enumerate() {
            let candidates = race.candidates(group, address.endpoint());
            race.groups.push(candidates);
        }
        race
    }

    /// What an address names, as far as that is known before its name is resolved.
    fn candidates(&mut self, group: usize, endpoint: Endpoint<'_>) -> Group {
        let only = |candidate| Group::Candidates(VecDeque::from([candidate]));
        match endpoint {
            Endpoint::Tcp(Host::Number(address)) => only(Candidate::Tcp(*address)),
            #[cfg(unix)]
            Endpoint::Unix(path) => only(Candidate::Unix(path.to_owned())),
            // `Connect` has refused it.
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Group::Candidates(VecDeque::new()),
            Endpoint::Tcp(host @ Host::Name(..)) => {
                let (host, question) = (host.clone(), self.ask(host.to_string()));
                self.running.spawn(async move {
                    let found = host.resolve().await;
                    Event::Resolved {
                        group,
                        question,
                        found,
                    }
                });
                Group::Resolving
            }
        }
    }

    fn ask(&mut self, label: String) -> usize {
        self.questions.push(Question {
            label,
            failure: None,
            is_settled: false,
        });
        self.questions.len() - 1
    }

    /// Returns the first link and the number of its address, or `None` when no attempt is left.
    async fn run(&mut self) -> Option<(Link, usize)> {
        self.start_next(Order::Kept);
        let mut due = Instant::now() + STAGGER;
        loop {
            let has_started = tokio::select! {
                event = self.running.join_next() => match event? {
                    Ok(Event::Connected { group, link: Ok(link), .. }) => return Some((link, group)),
                    Ok(event) => self.on_event(event),
                    // The runtime is shutting down.
                    Err(_) => false,
                },
                () = sleep_until(due) => {
                    self.start_next(Order::Overtaking);
                    true
                }
            };
            if has_started {
                due = Instant::now() + STAGGER;
            }
        }
    }

    /// Returns whether an attempt was started.
    fn on_event(&mut self, event: Event) -> bool {
        match event {
            Event::Connected { question, link, .. } => {
                self.attempts -= 1;
                self.questions[question].failure = link.err();
                self.start_next(Order::Kept)
            }
            Event::Resolved {
                group,
                question,
                found,
            } => {
                let found = match found {
                    Ok(found) => {
                        self.questions[question].is_settled = true;
                        found
                    }
                    Err(error) => {
                        self.questions[question].failure = Some(error);
                        Vec::new()
                    }
                };
                let candidates = alternating(found).into_iter().map(Candidate::Tcp);
                self.groups[group] = Group::Candidates(candidates.collect());
                // Otherwise the attempt that is under way has its time.
                self.attempts == 0 && self.start_next(Order::Kept)
            }
        }
    }

    /// Starts the next attempt, if one can be started now.
    fn start_next(&mut self, order: Order) -> bool {
        let Some((group, candidate)) = self.next(order) else {
            return false;
        };
        let question = self.ask(candidate.to_string());
        self.attempts += 1;
        self.running.spawn(async move {
            let link = candidate.open().await;
            Event::Connected {
                group,
                question,
                link,
            }
        });
        true
    }

    fn next(&mut self, order: Order) -> Option<(usize, Candidate)> {
        for (group, known) in self.groups.iter_mut().enumerate() {
            match known {
                Group::Candidates(candidates) => {
                    if let Some(candidate) = candidates.pop_front() {
                        return Some((group, candidate));
                    }
                }
                Group::Resolving if order == Order::Kept => return None,
                Group::Resolving => {}
            }
        }
        None
    }

    /// What each address answered. The error of a single one is returned as it is.
    fn into_error(self) -> io::Error {
        let mut answers: Vec<Answer> = self
            .questions
            .into_iter()
            .filter(|question| !question.is_settled)
            .map(|question| Answer {
                label: question.label,
                failure: question.failure,
            })
            .collect();
        if let [Answer { failure, .. }] = &mut answers[..] {
            if let Some(failure) = failure.take() {
                return failure;
            }
        }
        let kind = match answers.last().and_then(|last| last.failure.as_ref()) {
            Some(failure) => failure.kind(),
            None => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, Answers(answers))
    }
}

impl Candidate {
    async fn open(&self) -> io::Result<Link> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // Not always the one that was dialled, which may mean any of this host.
                let peer = stream.peer_addr().ok();
                if is_to_itself(&stream) {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Ok(Link::Tcp(stream, peer))
            }
            #[cfg(unix)]
            Self::Unix(path) => tokio::net::UnixStream::connect(path).await.map(Link::Unix),
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// Whether a socket is connected to itself. TCP allows that where nobody listens: if the system picks the port that is dialled as
/// the port of the client, both have opened the connection (RFC 9293, 3.5). It would also keep a server from binding its port.
fn is_to_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

/// Alternates between the families, beginning with that of the first address: the resolver has
/// sorted them, and if one family leads nowhere, the other is tried second.
fn alternating(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let total = found.len();
    let (first, second): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == is_first_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut sorted = Vec::with_capacity(total);
    while sorted.len() < total {
        sorted.extend(first.next());
        sorted.extend(second.next());
    }
    sorted
}

/// What each of several addresses answered.
#[derive(Debug)]
struct Answers(Vec<Answer>);

#[derive(Debug)]
struct Answer {
    label: String,
    failure: Option<io::Error>,
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Answer { label, failure }) in self.0.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            match failure {
                Some(failure) => write!(f, "{separator}{label}: {failure}")?,
                None => write!(f, "{separator}{label}: no answer")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Answers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_and_keep_the_order_of_the_resolver() {
        let sorted = |texts: &[&str]| {
            let found = texts.iter().map(|text| text.parse().expect("an address"));
            let sorted = alternating(found.collect()).into_iter();
            sorted
                .map(|address| address.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            sorted(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
        );
        assert_eq!(
            sorted(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]),
            ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]
        );
        assert!(sorted(&[]).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_that_is_connected_to_itself_is_told_from_others() {
        use tokio::net::{TcpListener, TcpSocket};

        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(([127, 0, 0, 1], 0).into())
            .expect("a free port");
        let address = socket.local_addr().expect("bound");
        let itself = socket.connect(address).await.expect("both have opened it");
        assert!(is_to_itself(&itself));

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let other = TcpStream::connect(address).await.expect("it listens");
        assert!(!is_to_itself(&other));
    }
}
