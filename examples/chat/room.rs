//! The users of the chat, and notifying them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use sockety::{Connection, Uuid, error::chain, message::Outgoing, server::ServerHandle};

use crate::{
    complain,
    service::{Name, ScreenDraft},
};

/// All connected users, with their names.
///
/// Everything is sent while the lock is held, so that all users receive it in the same order.
/// Sending waits for no peer: [`ServerHandle::broadcast`] skips connections whose outbox is full. A
/// peer that reads too slowly misses messages; one that reads nothing is disconnected after 30 s
/// ([`sockety::Options::write_stall`]).
pub struct Room {
    connections: ServerHandle,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    names: BTreeMap<Seat, Name>,
    seats: u64,
}

/// Identifies a connection, and is attached to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seat(u64);

/// The room refuses a request.
pub struct Refused;

/// Longest message in bytes; it is sent to everybody.
const CONTENT_BYTES: usize = 4000;

impl Room {
    pub fn new(connections: ServerHandle) -> Self {
        Self {
            connections,
            members: Mutex::default(),
        }
    }

    /// Adds a user under a name of the room's choice. Does nothing if the user is in the room.
    pub fn enter(&self, connection: &Connection) {
        let mut members = self.members();
        if seat(connection).is_some() {
            return;
        }
        let new = Seat(members.seats);
        members.seats += 1;
        let name = members.anonymous();
        members.names.insert(new, name.clone());
        connection.extensions().insert(new);

        let is_new = |seat| seat == new;
        self.tell(ScreenDraft::login(name.as_str().to_owned()), is_new);
        self.tell(members.users(), is_new);
        let connected = format!("{}: connected", name.as_str());
        self.tell(system(connected), |seat| seat != new);
        self.tell(members.users(), |seat| seat != new);
    }

    /// Removes a user.
    pub fn leave(&self, connection: &Connection) {
        let mut members = self.members();
        let left = seat(connection).and_then(|seat| members.names.remove(&seat));
        if let Some(name) = left {
            self.tell(system(format!("{}: disconnected.", name.as_str())), all);
            self.tell(members.users(), all);
        }
    }

    /// Renames a user.
    pub fn rename(&self, connection: &Connection, name: String) -> Result<(), Refused> {
        let name = Name::new(name).ok_or(Refused)?;
        let mut members = self.members();
        if members.has(&name) {
            return Err(Refused);
        }
        let renamed = seat(connection).ok_or(Refused)?;
        let current = members.names.get_mut(&renamed).ok_or(Refused)?;
        let before = std::mem::replace(current, name.clone());

        let (before, after) = (before.as_str(), name.as_str());
        let content = format!("{before}: has renamed to \"{after}\"");
        self.tell(system(content), |seat| seat != renamed);
        self.tell(members.users(), all);
        Ok(())
    }

    /// Sends a message to everybody, including its author.
    pub fn say(&self, connection: &Connection, content: String) -> Result<(), Refused> {
        if !is_sayable(&content) {
            return Err(Refused);
        }
        let members = self.members();
        let author = seat(connection).and_then(|seat| members.names.get(&seat));
        let author = author.ok_or(Refused)?.as_str().to_owned();
        self.tell(ScreenDraft::chat(now(), author, content), all);
        Ok(())
    }

    fn tell(&self, message: impl Into<Outgoing>, whom: impl Fn(Seat) -> bool) {
        // Connections without a seat are skipped: they get their login first.
        let is_meant = |connection: &Connection| seat(connection).is_some_and(&whom);
        if let Err(error) = self.connections.broadcast(message, is_meant) {
            complain(format_args!("chat: {}", chain(&error)));
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn has(&self, name: &Name) -> bool {
        self.names.values().any(|taken| taken == name)
    }

    fn anonymous(&self) -> Name {
        loop {
            let random = Uuid::new_v4().simple().to_string();
            let name = Name::new(format!("anon_{}", &random[..7]));
            let name = name.expect("hexadecimal digits may stand in names");
            if !self.has(&name) {
                return name;
            }
        }
    }

    fn users(&self) -> Outgoing {
        let names = self.names.values().map(|name| name.as_str().to_owned());
        ScreenDraft::users(names.collect()).into()
    }
}

fn seat(connection: &Connection) -> Option<Seat> {
    connection.extensions().get().map(|seat| *seat)
}

fn all(_: Seat) -> bool {
    true
}

/// One line that is not blank.
fn is_sayable(content: &str) -> bool {
    content.len() <= CONTENT_BYTES && !content.contains(['\n', '\r']) && !content.trim().is_empty()
}

fn system(content: String) -> Outgoing {
    ScreenDraft::system(now(), content).into()
}

/// The time in the format of JavaScript's `toISOString`.
fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
