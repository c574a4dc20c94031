//! The client, independent of where it reads and shows lines.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use sockety::{
    CallError, FastReply,
    client::IntoAddress,
    error::{NoError, chain},
    serve::BoxError,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use crate::{
    service::{ChatClient, Name, Screen, ScreenServer},
    text::Look,
};

/// Reads the next line, with the user's name as prompt; `None` if there are no more.
pub type Read = Box<dyn FnMut(&str) -> Option<String> + Send>;

/// Where a person reads and writes.
pub struct Desk {
    pub read: Read,
    /// Shows a line, without its end.
    pub show: Box<dyn FnMut(String) + Send>,
    pub look: Look,
    /// Whether the user's own lines are visible where they were typed.
    pub has_echo: bool,
    /// The names for completion.
    pub names: Names,
}

/// The names of all users, as the server last reported them.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<Vec<String>>>);

impl Names {
    pub fn get(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, names: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

/// A line that was read. The next one is read after this one is processed.
struct Line {
    text: String,
    done: oneshot::Sender<()>,
}

/// Number of lines that can wait to be shown. Beyond that, the server has to wait.
const SHOWN_AHEAD: usize = 256;

/// How long the server may take to send the first name.
const LOGIN: Duration = Duration::from_secs(10);

/// Runs until there are no more lines, or the connection ends.
pub async fn run(address: impl IntoAddress, desk: Desk) -> Result<(), BoxError> {
    let (lines, shown) = mpsc::channel(SHOWN_AHEAD);
    let showing = tokio::task::spawn_blocking(|| show_all(shown, desk.show));
    let guest = Guest {
        name: watch::Sender::default(),
        names: desk.names,
        lines,
        look: desk.look,
        has_echo: desk.has_echo,
    };
    let done = guest.chat(address, desk.read).await;
    // Wait until every line was shown.
    drop(guest);
    showing.await?;
    done
}

fn show_all(mut lines: mpsc::Receiver<String>, mut show: Box<dyn FnMut(String) + Send>) {
    while let Some(line) = lines.blocking_recv() {
        show(line);
    }
}

#[derive(Clone)]
struct Guest {
    /// Empty until the server has assigned one.
    name: watch::Sender<String>,
    names: Names,
    lines: mpsc::Sender<String>,
    look: Look,
    has_echo: bool,
}

impl Screen for Guest {
    async fn login(&self, name: String) {
        self.name.send_replace(name);
    }

    async fn users(&self, names: Vec<String>) {
        self.names.set(names);
    }

    async fn chat(&self, date: String, author: String, content: String) {
        let is_own = author == *self.name.borrow();
        if !(is_own && self.has_echo) {
            let own = self.name.borrow().clone();
            let names = self.names.get();
            let line = self.look.chat(&date, &author, &content, &own, &names);
            self.show(line).await;
        }
    }

    async fn system(&self, date: String, content: String) {
        self.show(self.look.system(&date, &content)).await;
    }
}

impl Guest {
    async fn chat(&self, address: impl IntoAddress, read: Read) -> Result<(), BoxError> {
        let chat = sockety::connect(address)
            .serve(ScreenServer::new(self.clone()))
            .await?;
        let ended = chat.clone();
        let chat = ChatClient::new(chat);
        let mut name = self.name.subscribe();
        let logged_in = name.wait_for(|name| !name.is_empty());
        timeout(LOGIN, logged_in)
            .await
            .map_err(|_| "the server returned no name")??;
        let hello = format!("You are {}. /help for commands.", self.name());
        self.show(self.notice(&hello)).await;

        let (written, mut lines) = mpsc::channel(1);
        // The thread is not joined: it may be blocked on a terminal, where it cannot be told to
        // end.
        std::thread::spawn(move || read_all(read, &name, &written));
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                why = ended.closed() => {
                    let text = format!("The connection has ended: {}", chain(&why));
                    self.show(self.notice(&text)).await;
                    return self.wait_for_reader(lines).await;
                }
            };
            let Some(Line { text, done }) = line else {
                break;
            };
            let mut answers = vec![];
            for line in text.lines() {
                answers.extend(self.act(&chat, line).await);
            }
            // Before anything is shown: a terminal shows lines only while it is read from.
            let _ = done.send(());
            for answer in answers {
                self.show(answer).await;
            }
        }
        ended.close().await;
        Ok(())
    }

    /// A terminal is restored only when nothing reads from it any longer.
    async fn wait_for_reader(&self, mut lines: mpsc::Receiver<Line>) -> Result<(), BoxError> {
        if self.has_echo {
            self.show(self.notice("Enter leaves.")).await;
            lines.recv().await;
        }
        Ok(())
    }

    /// Executes a line, which is a command or a message, and returns what to show.
    async fn act(&self, chat: &ChatClient, line: &str) -> Vec<String> {
        let answer = match Command::of(line) {
            Command::Nothing => return vec![],
            Command::Name(name) => match chat.name(name.to_owned()).await {
                Ok(()) => {
                    self.name.send_replace(name.to_owned());
                    self.notice(&format!("You are {name}."))
                }
                Err(error) => self.look.complaint(&not_named(name, &error)),
            },
            Command::Users => self.notice(&self.names.get().join(" ")),
            Command::Help => return HELP.map(|line| self.notice(line)).into(),
            Command::Unknown(command) => {
                let text = format!("There is no {command}: /help for commands.");
                self.look.complaint(&text)
            }
            Command::Say(content) => match chat.broadcast(content.to_owned()).await {
                Ok(()) => return vec![],
                Err(error) => self.look.complaint(&not_said(&error)),
            },
        };
        vec![answer]
    }

    fn name(&self) -> String {
        self.name.borrow().clone()
    }

    /// Formats a message of the client itself.
    fn notice(&self, text: &str) -> String {
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        self.look.system(&now, text)
    }

    async fn show(&self, line: String) {
        // It fails only if the client is about to end.
        let _ = self.lines.send(line).await;
    }
}

/// Each line waits until the one before is processed, so that the prompt has the right name.
fn read_all(mut read: Read, name: &watch::Receiver<String>, lines: &mpsc::Sender<Line>) {
    loop {
        let own = name.borrow().clone();
        let Some(text) = read(&own) else { return };
        let (done, is_done) = oneshot::channel();
        if lines.blocking_send(Line { text, done }).is_err() || is_done.blocking_recv().is_err() {
            return;
        }
    }
}

enum Command<'a> {
    Nothing,
    Name(&'a str),
    Users,
    Help,
    Unknown(&'a str),
    Say(&'a str),
}

const HELP: [&str; 4] = [
    "/name NAME   changes your name",
    "/users       who is here",
    "/help        this",
    "Tab completes @names, Ctrl-D leaves",
];

impl<'a> Command<'a> {
    fn of(line: &'a str) -> Self {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "" => Self::Nothing,
            "/name" => Self::Name(rest.trim()),
            "/users" => Self::Users,
            "/help" => Self::Help,
            word if word.starts_with('/') => Self::Unknown(word),
            _ => Self::Say(line),
        }
    }
}

fn not_named(name: &str, error: &CallError<NoError>) -> String {
    match error {
        CallError::Refused {
            code: FastReply::BAD_REQUEST,
            ..
        } if Name::new(name.to_owned()).is_some() => {
            format!("{name} is taken.")
        }
        CallError::Refused {
            code: FastReply::BAD_REQUEST,
            ..
        } => "A name has 3 to 50 letters, digits, _ and -.".into(),
        error => format!("No new name: {}", chain(error)),
    }
}

fn not_said(error: &CallError<NoError>) -> String {
    match error {
        CallError::Refused {
            code: FastReply::BAD_REQUEST,
            ..
        } => "Not said: it is too long.".into(),
        // It may be unknown whether others have read it.
        error => format!("{}: {}", error.outcome(), chain(error)),
    }
}
