//! Two sides with random delays, readers and windows: nothing is overrun, nothing leaks, and nothing
//! stops for ever.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::credit::{
    Blocked, Effect, Fate, LIFELINE, Pressure, Receiving, Round, Sending, Windows,
};
use crate::{FileIndex, FilesSummary, FlowEntry, Part, Violation};

/// Sizes are small multiples of this, as windows are.
const UNIT: u64 = LIFELINE / 2;

/// Mistakes that the model must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// The sender sends what it has.
    IgnoresCredit,
    /// Lifelines do not arrive.
    NoLifelines,
    /// The receiver forgets what was unread when a message was aborted.
    ForgetsAborted,
    /// The receiver asks its peer to stop a part, and forgets that nobody reads it.
    ForgetsStopped,
    /// The driver is not woken by readers.
    NoWakes,
}

/// What went wrong.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Violation(Violation),
    /// Nothing moves any more, though readers wait.
    Hang,
    /// Content was counted that is not there any more.
    Leak,
}

#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    schedules: u64,
    bytes: u64,
    entries: u64,
    lifelines: u64,
    most_unread: u64,
    stops: u64,
    aborts: u64,
}

/// One part, on both sides. What the receiver counts is kept here again, without running sums.
#[derive(Debug)]
struct Piece {
    part: Part,
    size: u64,
    // At the sender.
    available: u64,
    sent: u64,
    sent_limit: u64,
    sent_free: u64,
    has_turn: bool,
    was_stopped: bool,
    has_ended: bool,
    // At the receiver.
    received: u64,
    taken: u64,
    limit: u64,
    known: u64,
    free: u64,
    is_whole: bool,
    is_waiting: bool,
    is_dropped: bool,
    is_stopped: bool,
    is_done: bool,
}

impl Piece {
    fn new(part: Part, size: u64, is_live: bool) -> Self {
        Self {
            part,
            size,
            available: if is_live { 0 } else { size },
            sent: 0,
            sent_limit: 0,
            sent_free: 0,
            has_turn: false,
            was_stopped: false,
            has_ended: false,
            received: 0,
            taken: 0,
            limit: 0,
            known: 0,
            free: 0,
            is_whole: false,
            is_waiting: false,
            is_dropped: false,
            is_stopped: false,
            is_done: false,
        }
    }

    fn unread(&self) -> u64 {
        self.received - self.taken
    }
}

#[derive(Debug)]
struct Message {
    number: u64,
    pieces: Vec<Piece>,
    /// Its files are sent one after the other, but for those that the peer asks for.
    in_sequence: bool,
    /// The order in which its parts are read; all at once if `None`.
    order: Option<Vec<usize>>,
    /// A message that must have been read before this one is.
    after: Option<usize>,
    is_refused: bool,
    has_begun: bool,
    was_aborted: bool,
    stop_came: bool,
    has_arrived: bool,
    is_over: bool,
}

impl Message {
    fn used(&self) -> u64 {
        let open = self.pieces.iter().filter(|it| !it.is_stopped);
        open.map(|it| it.received.saturating_sub(it.limit)).sum()
    }

    fn known(&self) -> u64 {
        let open = self.pieces.iter().filter(|it| !it.is_stopped);
        open.map(|it| it.received.saturating_sub(it.known)).sum()
    }

    fn unread(&self) -> u64 {
        self.pieces.iter().map(Piece::unread).sum()
    }

    fn is_read(&self) -> bool {
        self.is_refused || self.pieces.iter().all(|it| it.is_done)
    }
}

#[derive(Debug)]
enum Packet {
    Begin(usize),
    Content(usize, usize, u64),
    End(usize, usize),
    Abort(usize),
}

#[derive(Debug)]
struct Model {
    rng: Rng,
    mistake: Mistake,
    windows: Windows,
    messages: Vec<Message>,
    next: usize,
    sending: Sending,
    receiving: Receiving,
    turns: Vec<(usize, usize)>,
    out: VecDeque<Packet>,
    back: VecDeque<Vec<FlowEntry>>,
    is_woken: bool,
    /// How likely it is that a reader is dropped when it could read.
    drops: f64,
    pressure: Pressure,
    pressure_changes: bool,
    figures: Figures,
    ends: u64,
}

fn file(index: usize) -> Part {
    Part::File(FileIndex::new(u32::try_from(index).unwrap()).unwrap())
}

impl Model {
    fn new(seed: u64, mistake: Mistake) -> Self {
        let mut rng = Rng::with_seed(seed);
        let window = [2, rng.u64(4..=64)][usize::from(rng.u8(..8) > 0)] * UNIT;
        let windows = Windows {
            message: window,
            message_max: *rng
                .choice(&[0, window, 2 * window, 64 * UNIT, 256 * UNIT])
                .unwrap(),
            connection: rng.u64(8..=200) * UNIT,
        };
        let mut messages = Vec::new();
        let mut number = rng.u64(..3);
        for _ in 0..rng.usize(1..=8) {
            messages.push(message(&mut rng, number));
            // Others have no content.
            number += 1 + rng.u64(..2) * rng.u64(..9);
        }
        let mut order: Vec<usize> = (0..messages.len()).collect();
        rng.shuffle(&mut order);
        for (place, index) in order.iter().enumerate().skip(1) {
            if rng.f64() < 0.6 {
                messages[*index].after = Some(order[rng.usize(..place)]);
            }
        }
        let mut sending = Sending::default();
        sending.open(windows.message, windows.connection);
        let pressures = [
            Pressure::Low,
            Pressure::Low,
            Pressure::High,
            Pressure::Exhausted,
        ];
        Self {
            mistake,
            windows,
            messages,
            next: 0,
            sending,
            receiving: Receiving::new(windows),
            turns: Vec::new(),
            out: VecDeque::new(),
            back: VecDeque::new(),
            is_woken: false,
            drops: *rng.choice(&[0.001, 0.02, 0.1]).unwrap(),
            pressure: *rng.choice(&pressures).unwrap(),
            pressure_changes: rng.bool(),
            figures: Figures::default(),
            ends: 0,
            rng,
        }
    }

    fn run(mut self) -> Result<Figures, Failure> {
        let weights: Vec<f64> = (0..5)
            .map(|_| [0.2, 1.0, 3.0][self.rng.usize(..3)])
            .collect();
        let sum: f64 = weights.iter().sum();
        for step in 1_u64.. {
            let mut at = self.rng.f64() * sum;
            let mut choice = 0;
            while choice < 4 && at >= weights[choice] {
                at -= weights[choice];
                choice += 1;
            }
            self.act(choice)?;
            if self.rng.u8(..8) == 0 {
                self.check();
            }
            if self.is_finished() {
                break;
            }
            if step % 400 == 0 && !self.moves()? {
                if self.mistake == Mistake::None {
                    eprintln!("{self:?}");
                }
                return Err(Failure::Hang);
            }
            assert!(step < 400_000, "no end");
        }
        self.end()
    }

    /// Whether anything still happens.
    fn moves(&mut self) -> Result<bool, Failure> {
        for _ in 0..300 {
            for choice in [0, 1, 3, 4, 2] {
                if self.act(choice)? {
                    return Ok(true);
                }
            }
        }
        Ok(self.is_finished())
    }

    fn act(&mut self, choice: usize) -> Result<bool, Failure> {
        match choice {
            0 => Ok(self.send()),
            1 => self.receive(),
            2 => Ok(self.read()),
            3 => Ok(self.drive()),
            _ => self.apply(),
        }
    }

    fn is_finished(&self) -> bool {
        self.messages
            .iter()
            .all(|it| it.has_arrived && it.is_read())
    }

    /// Everything arrives; what remains must be nothing.
    fn end(mut self) -> Result<Figures, Failure> {
        loop {
            let mut moves = false;
            for choice in [0, 1, 3, 4] {
                moves |= self.act(choice)?;
            }
            if !moves {
                break;
            }
        }
        self.check();
        let (total, limit) = (self.receiving.total(), self.receiving.limit());
        if self.receiving.unread() != 0 || limit > total + self.windows.connection {
            return Err(Failure::Leak);
        }
        self.figures.schedules = 1;
        if self.mistake != Mistake::None {
            return Ok(self.figures);
        }
        assert_eq!(self.sending.total(), total);
        assert_eq!(self.sending.limit(), limit);
        if self
            .messages
            .iter()
            .all(|it| it.pieces.iter().all(|it| it.has_ended) || it.was_aborted)
        {
            assert_eq!(self.sending.kept().0, 0);
            assert_eq!(self.receiving.kept().0, 0);
        }
        // Each entry is paid for by content, or by a part's end.
        let Figures { entries, bytes, .. } = self.figures;
        let pieces: usize = self.messages.iter().map(|it| it.pieces.len() + 1).sum();
        let paid = bytes / UNIT + self.ends + pieces as u64;
        assert!(entries <= paid, "{entries} entries, {paid} paid for");
        Ok(self.figures)
    }

    // The sender.

    fn send(&mut self) -> bool {
        let waits = self.next < self.messages.len();
        if waits && (self.turns.is_empty() || self.rng.f64() < 0.3) {
            self.begin();
            return true;
        }
        if self.rng.f64() < 0.0005 && self.abort() {
            return true;
        }
        while let Some(index) = self.turn() {
            if self.take_turn(index) {
                return true;
            }
        }
        self.rng.bool() && self.produce()
    }

    fn begin(&mut self) {
        let at = self.next;
        self.next += 1;
        let message = &mut self.messages[at];
        message.has_begun = true;
        let has_stream = message.pieces.iter().any(|it| it.part == Part::Stream);
        let files = message.pieces.len() - usize::from(has_stream);
        self.sending
            .begin(message.number, has_stream, u32::try_from(files).unwrap());
        self.out.push_back(Packet::Begin(at));
        self.start(at);
    }

    /// Gives turns to parts that have not begun and may.
    fn start(&mut self, at: usize) {
        let message = &self.messages[at];
        let is_first = |index: usize| {
            let before = &message.pieces[..index];
            !before
                .iter()
                .any(|it| it.part != Part::Stream && !it.has_ended)
        };
        let begin: Vec<usize> = (0..message.pieces.len())
            .filter(|index| {
                let piece = &message.pieces[*index];
                piece.part == Part::Stream || !message.in_sequence || is_first(*index)
            })
            .collect();
        for index in begin {
            self.give_turn(at, index);
        }
    }

    fn give_turn(&mut self, at: usize, index: usize) {
        let message = &mut self.messages[at];
        let piece = &mut message.pieces[index];
        let has_work =
            piece.sent < piece.available || piece.sent == piece.size || piece.was_stopped;
        let is_blocked = self.sending.blocked(message.number, piece.part).is_some();
        if has_work && !piece.has_turn && !piece.has_ended && !message.was_aborted && !is_blocked {
            piece.has_turn = true;
            self.turns.push((at, index));
        }
    }

    /// The part that is to be sent next.
    fn turn(&mut self) -> Option<(usize, usize)> {
        while let Some((number, part)) = self.sending.next_ready() {
            let at = self
                .messages
                .iter()
                .position(|it| it.number == number)
                .unwrap();
            let index = self.messages[at]
                .pieces
                .iter()
                .position(|it| it.part == part)
                .unwrap();
            let piece = &self.messages[at].pieces[index];
            if !piece.has_turn && piece.sent < piece.available {
                return Some((at, index));
            }
            self.give_turn(at, index);
        }
        if self.turns.is_empty() {
            return None;
        }
        let turn = self.turns.swap_remove(self.rng.usize(..self.turns.len()));
        self.messages[turn.0].pieces[turn.1].has_turn = false;
        Some(turn)
    }

    /// Whether something was sent.
    fn take_turn(&mut self, (at, index): (usize, usize)) -> bool {
        let message = &mut self.messages[at];
        let number = message.number;
        let piece = &mut message.pieces[index];
        if piece.has_ended || message.was_aborted {
            return false;
        }
        if piece.sent == piece.size || piece.was_stopped {
            piece.has_ended = true;
            self.sending.end(number, piece.part);
            self.out.push_back(Packet::End(at, index));
            self.start(at);
            return true;
        }
        let left = piece.available - piece.sent;
        let credit = match self.sending.may_send(number, piece.part) {
            _ if self.mistake == Mistake::IgnoresCredit => left,
            Ok(credit) => credit.min(left),
            Err(Blocked::Message | Blocked::Connection) => return false,
            Err(Blocked::Over) => unreachable!("it was neither stopped nor ended"),
        };
        if credit == 0 {
            return false;
        }
        let most = *self
            .rng
            .choice(&[1, UNIT, 2 * UNIT, 5 * UNIT, 9 * UNIT, 100 * UNIT])
            .unwrap();
        let bytes = credit.min(most);
        piece.sent += bytes;
        self.sending.sent(number, piece.part, bytes);
        self.out.push_back(Packet::Content(at, index, bytes));
        self.give_turn(at, index);
        true
    }

    /// A live stream gets more bytes.
    fn produce(&mut self) -> bool {
        let live: Vec<(usize, usize)> = self.pieces(|message, piece| {
            message.has_begun && !message.was_aborted && piece.available < piece.size
        });
        let Some((at, index)) = self.rng.choice(live) else {
            return false;
        };
        let piece = &mut self.messages[at].pieces[index];
        let bytes = self.rng.u64(1..=20 * UNIT);
        piece.available = piece.size.min(piece.available + bytes);
        self.give_turn(at, index);
        true
    }

    fn abort(&mut self) -> bool {
        let open: Vec<usize> = (0..self.messages.len())
            .filter(|at| {
                let message = &self.messages[*at];
                let is_open = message.pieces.iter().any(|it| !it.has_ended);
                message.has_begun && is_open && !message.was_aborted
            })
            .collect();
        match self.rng.choice(open) {
            Some(at) => {
                self.abort_message(at);
                true
            }
            None => false,
        }
    }

    fn abort_message(&mut self, at: usize) {
        self.figures.aborts += 1;
        let message = &mut self.messages[at];
        message.was_aborted = true;
        self.sending.over(message.number);
        self.out.push_back(Packet::Abort(at));
    }

    /// A Flow packet arrives at the sender.
    fn apply(&mut self) -> Result<bool, Failure> {
        let Some(entries) = self.back.pop_front() else {
            return Ok(false);
        };
        self.sending.packet();
        for entry in entries {
            let effect = self.sending.apply(entry).map_err(Failure::Violation)?;
            // An honest peer sends nothing that is of no use.
            if self.mistake == Mistake::None {
                assert_ne!(effect, Effect::Useless, "{entry:?}");
            }
            self.applied(entry, effect);
        }
        Ok(true)
    }

    fn applied(&mut self, entry: FlowEntry, effect: Effect) {
        let number = match entry {
            FlowEntry::Part { number, .. }
            | FlowEntry::FilesBelow { number, .. }
            | FlowEntry::Stop { number, .. } => number,
            FlowEntry::Connection { .. } => return,
        };
        let at = self
            .messages
            .iter()
            .position(|it| it.number == number)
            .unwrap();
        let message = &mut self.messages[at];
        match entry {
            FlowEntry::Part {
                part,
                limit,
                lifeline,
                ..
            } => {
                let piece = message
                    .pieces
                    .iter_mut()
                    .find(|it| it.part == part)
                    .unwrap();
                piece.sent_limit = piece.sent_limit.max(limit);
                if lifeline {
                    if self.mistake == Mistake::None {
                        assert!(piece.sent_free <= piece.sent, "the lifeline was used up");
                    }
                    piece.sent_free = limit;
                }
            }
            FlowEntry::Stop {
                part: Some(part), ..
            } => {
                let index = message
                    .pieces
                    .iter()
                    .position(|it| it.part == part)
                    .unwrap();
                let piece = &mut message.pieces[index];
                assert_eq!(
                    effect == Effect::Stop,
                    !piece.has_ended && !message.was_aborted
                );
                piece.was_stopped = true;
                self.give_turn(at, index);
            }
            FlowEntry::Stop { part: None, .. } => {
                message.stop_came = true;
                if effect == Effect::StopMessage {
                    self.abort_message(at);
                }
            }
            FlowEntry::FilesBelow { index, .. } => {
                for piece in &mut message.pieces {
                    if matches!(piece.part, Part::File(it) if it < index) {
                        piece.sent_limit = piece.sent_limit.max(piece.sent);
                    }
                }
            }
            FlowEntry::Connection { .. } => {}
        }
    }

    // The receiver.

    fn receive(&mut self) -> Result<bool, Failure> {
        let Some(packet) = self.out.pop_front() else {
            return Ok(false);
        };
        self.is_woken = true;
        match packet {
            Packet::Begin(at) => {
                let message = &mut self.messages[at];
                message.has_arrived = true;
                let files = message.pieces.iter().filter(|it| it.part != Part::Stream);
                let count = u32::try_from(files.clone().count()).unwrap();
                let total_size = files.map(|it| it.size).sum();
                let has_stream = message.pieces.iter().any(|it| it.part == Part::Stream);
                let summary = FilesSummary { count, total_size };
                self.receiving.begin(message.number, has_stream, summary);
                if message.is_refused {
                    self.figures.stops += 1;
                    self.receiving.stop_message(message.number);
                    for piece in &mut message.pieces {
                        piece.is_dropped = true;
                    }
                }
            }
            Packet::Content(at, index, bytes) => {
                self.figures.bytes += bytes;
                let message = &mut self.messages[at];
                let piece = &mut message.pieces[index];
                piece.received += bytes;
                let fate = self.receiving.received(message.number, piece.part, bytes);
                let fate = fate.map_err(Failure::Violation)?;
                assert_eq!(fate == Fate::Drop, piece.is_dropped);
                if piece.is_dropped {
                    piece.taken = piece.received;
                }
                if message.known() > self.windows.message {
                    for piece in &mut message.pieces {
                        piece.known = piece.limit;
                    }
                }
            }
            Packet::End(at, index) => {
                self.ends += 1;
                let message = &mut self.messages[at];
                let piece = &mut message.pieces[index];
                piece.is_whole = true;
                self.receiving.end(message.number, piece.part);
            }
            Packet::Abort(at) => {
                let message = &mut self.messages[at];
                message.is_over = true;
                self.receiving.over(message.number);
                // Its readers may take what has come, or drop it.
                for piece in &mut message.pieces {
                    piece.is_whole = true;
                    piece.is_waiting = false;
                    if self.mistake == Mistake::ForgetsAborted {
                        (piece.taken, piece.is_done) = (piece.received, true);
                    }
                }
            }
        }
        Ok(true)
    }

    /// One of the readers does something.
    fn read(&mut self) -> bool {
        let mut readable = Vec::new();
        for (at, message) in self.messages.iter().enumerate() {
            let waits = |after: usize| !self.messages[after].is_read();
            let is_refused = message.is_refused;
            if !message.has_arrived || is_refused || message.after.is_some_and(waits) {
                continue;
            }
            let open = |index: &usize| !message.pieces[*index].is_done;
            match &message.order {
                Some(order) => readable.extend(order.iter().copied().find(open).map(|it| (at, it))),
                None => readable.extend((0..message.pieces.len()).filter(open).map(|it| (at, it))),
            }
        }
        let Some((at, index)) = self.rng.choice(readable) else {
            return false;
        };
        if self.rng.f64() < self.drops {
            return self.drop_reader(at, index);
        }
        let message = &mut self.messages[at];
        let number = message.number;
        let piece = &mut message.pieces[index];
        let wakes = if piece.unread() > 0 {
            let most = [1, UNIT, 3 * UNIT, 8 * UNIT, u64::MAX][self.rng.usize(..5)];
            let bytes = piece.unread().min(most);
            piece.taken += bytes;
            piece.is_waiting = false;
            self.receiving.taken(number, piece.part, bytes)
        } else if piece.is_whole {
            piece.is_done = true;
            false
        } else if self.rng.f64() < 3.0 * self.drops {
            return self.drop_reader(at, index);
        } else if !piece.is_waiting {
            piece.is_waiting = true;
            self.receiving.waits(number, piece.part)
        } else {
            return false;
        };
        self.is_woken |= wakes && self.mistake != Mistake::NoWakes;
        true
    }

    fn drop_reader(&mut self, at: usize, index: usize) -> bool {
        self.figures.stops += 1;
        let message = &mut self.messages[at];
        let number = message.number;
        let all = self.rng.f64() < 0.1;
        let pieces = message.pieces.iter_mut().enumerate();
        for (_, piece) in pieces.filter(|(it, _)| all || *it == index) {
            piece.is_dropped |= !piece.is_whole || all;
            piece.is_done = true;
            piece.is_waiting = false;
            piece.taken = piece.received;
        }
        let part = message.pieces[index].part;
        let wakes = if self.mistake == Mistake::ForgetsStopped && !all {
            let part = Some(part);
            self.back.push_back(vec![FlowEntry::Stop { number, part }]);
            message.pieces[index].is_dropped = false;
            false
        } else if all {
            let wakes = self.receiving.stop_message(number);
            for piece in &message.pieces {
                self.receiving.stop(number, piece.part);
            }
            wakes
        } else {
            self.receiving.stop(number, part)
        };
        self.is_woken |= wakes && self.mistake != Mistake::NoWakes;
        true
    }

    /// The driver of the receiver ends a round.
    fn drive(&mut self) -> bool {
        if self.pressure_changes && self.rng.f64() < 0.02 {
            self.pressure =
                [Pressure::Low, Pressure::High, Pressure::Exhausted][self.rng.usize(..3)];
            self.is_woken |= self.receiving.is_held();
        }
        if !std::mem::take(&mut self.is_woken) {
            return false;
        }
        let round = Round {
            is_idle: self.out.is_empty(),
            pressure: self.pressure,
        };
        let room = [1, 3, 292][self.rng.usize(..3)];
        let entries: Vec<FlowEntry> = {
            let mut entries = Vec::new();
            while entries.len() < room {
                let Some(entry) = self.receiving.due(round).next() else {
                    break;
                };
                if self.mistake == Mistake::None {
                    self.granted(entry);
                }
                entries.push(entry);
            }
            entries
        };
        self.figures.entries += entries.len() as u64;
        let is_full = entries.len() == room;
        self.is_woken |= is_full;
        let mut entries = entries;
        if self.mistake == Mistake::NoLifelines {
            entries.retain(|it| !matches!(it, FlowEntry::Part { lifeline: true, .. }));
        }
        let has_entries = !entries.is_empty();
        if has_entries {
            self.back.push_back(entries);
        }
        has_entries
    }

    /// Keeps what was granted.
    fn granted(&mut self, entry: FlowEntry) {
        match entry {
            FlowEntry::Part {
                number,
                part,
                limit,
                lifeline,
            } => {
                let message = self
                    .messages
                    .iter_mut()
                    .find(|it| it.number == number)
                    .unwrap();
                let piece = message
                    .pieces
                    .iter_mut()
                    .find(|it| it.part == part)
                    .unwrap();
                assert!(!piece.is_stopped && (!piece.is_dropped || piece.is_whole));
                if lifeline {
                    self.figures.lifelines += 1;
                    assert!(piece.is_waiting && piece.unread() == 0);
                    assert_eq!(limit, piece.received + LIFELINE);
                    assert!(piece.free <= piece.received, "the lifeline was used up");
                    // Nothing that counts is on its way, and nothing of this part.
                    assert_eq!(self.sending.total(), self.receiving.total());
                    assert_eq!(piece.sent, piece.received);
                    piece.free = limit;
                } else {
                    assert!(limit > piece.limit);
                }
                piece.limit = piece.limit.max(limit);
            }
            FlowEntry::FilesBelow { number, index } => {
                let message = self
                    .messages
                    .iter_mut()
                    .find(|it| it.number == number)
                    .unwrap();
                for piece in &mut message.pieces {
                    if matches!(piece.part, Part::File(it) if it < index) {
                        assert!(piece.is_whole && piece.unread() == 0);
                        piece.limit = piece.limit.max(piece.received);
                    }
                }
            }
            FlowEntry::Stop { number, part } => {
                let message = self
                    .messages
                    .iter_mut()
                    .find(|it| it.number == number)
                    .unwrap();
                for piece in &mut message.pieces {
                    if part.is_none_or(|part| part == piece.part) {
                        assert!(piece.is_dropped);
                        let is_first = !piece.is_stopped && !piece.is_whole;
                        assert!(is_first || part.is_none());
                        piece.is_stopped = true;
                    }
                }
            }
            FlowEntry::Connection { .. } => {}
        }
    }

    /// What is always true.
    fn check(&mut self) {
        for message in &self.messages {
            if let Some(used) = self.sending.used(message.number) {
                let pieces = message.pieces.iter().filter(|it| !it.was_stopped);
                let sum: u64 = pieces.map(|it| it.sent.saturating_sub(it.sent_limit)).sum();
                assert_eq!(used, sum);
            }
        }
        if self.mistake != Mistake::None {
            return;
        }
        let unread: u64 = self.messages.iter().map(Message::unread).sum();
        assert_eq!(self.receiving.unread(), unread);
        self.figures.most_unread = self.figures.most_unread.max(unread);
        let saved: u64 = self
            .messages
            .iter()
            .flat_map(|it| &it.pieces)
            .map(|it| {
                it.free
                    .min(it.received)
                    .saturating_sub(it.taken)
                    .min(LIFELINE)
            })
            .sum();
        assert!(
            unread <= self.windows.connection + saved,
            "{unread} bytes are unread"
        );
        for message in &self.messages {
            if !message.has_arrived || message.is_over {
                continue;
            }
            let most = self.windows.message.max(self.windows.message_max);
            let pieces = message.pieces.len() as u64;
            assert!(message.unread() <= most + pieces * LIFELINE);
            if let Some((used, known)) = self.receiving.used(message.number) {
                if !message.pieces.iter().all(|it| it.is_dropped) {
                    assert_eq!(used, message.used(), "{message:?}");
                    assert_eq!(known, message.known(), "{message:?}");
                }
            }
        }
        let (sent, received) = (self.sending.kept(), self.receiving.kept());
        let pieces: usize = self.messages.iter().map(|it| it.pieces.len() + 1).sum();
        assert!(sent.2 <= 4 * pieces + 16, "{sent:?}");
        assert!(received.2 <= 6 * pieces + 24, "{received:?}");
    }

    fn pieces(&self, wanted: impl Fn(&Message, &Piece) -> bool) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (at, message) in self.messages.iter().enumerate() {
            for (index, piece) in message.pieces.iter().enumerate() {
                if wanted(message, piece) {
                    found.push((at, index));
                }
            }
        }
        found
    }
}

fn message(rng: &mut Rng, number: u64) -> Message {
    let many = rng.u8(..16) == 0;
    let count = if many {
        rng.usize(20..60)
    } else {
        rng.usize(1..=5)
    };
    let has_stream = rng.bool();
    let mut pieces = Vec::new();
    for index in 0..count {
        let units = *rng.choice(&[0_u64, 1, 3, 10, 17, 50, 120, 300]).unwrap();
        let jitter = rng.u64(..3) * rng.u64(..UNIT);
        let size = if many {
            rng.u64(..2 * UNIT)
        } else {
            units * UNIT + jitter
        };
        let is_stream = has_stream && index == 0;
        let part = if is_stream {
            Part::Stream
        } else {
            file(index - usize::from(has_stream))
        };
        let is_live = rng.f64() < 0.3;
        pieces.push(Piece::new(part, size, is_live));
    }
    let mut order: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut order);
    if rng.u8(..4) == 0 {
        order.sort_unstable();
    }
    let in_sequence = rng.bool();
    if in_sequence {
        // What a file in sequence waits for must come.
        for piece in &mut pieces {
            if piece.part != Part::Stream {
                piece.available = piece.size;
            }
        }
    }
    Message {
        number,
        pieces,
        in_sequence,
        order: (rng.f64() >= 0.4).then_some(order),
        after: None,
        is_refused: rng.u8(..32) == 0,
        has_begun: false,
        was_aborted: false,
        stop_came: false,
        has_arrived: false,
        is_over: false,
    }
}

fn schedules() -> u64 {
    let asked = std::env::var("SOCKETY_SCHEDULES").ok();
    asked.map_or(2_000, |it| it.parse().expect("a number of schedules"))
}

fn first_seed() -> u64 {
    let asked = std::env::var("SOCKETY_SEED").ok();
    asked.map_or_else(|| fastrand::u64(..), |it| it.parse().expect("a seed"))
}

fn run(seed: u64, mistake: Mistake) -> Result<Figures, Failure> {
    Model::new(seed, mistake).run()
}

// r[verify ext.credit.check]
#[test]
fn no_schedule_overruns_leaks_or_hangs() {
    let first = first_seed();
    let mut sum = Figures::default();
    for seed in first..first.saturating_add(schedules()) {
        let result = std::panic::catch_unwind(|| run(seed, Mistake::None));
        let figures = match result {
            Ok(Ok(figures)) => figures,
            Ok(Err(failure)) => panic!("SOCKETY_SEED={seed}: {failure:?}"),
            Err(panic) => {
                eprintln!("SOCKETY_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        };
        sum.schedules += figures.schedules;
        sum.bytes += figures.bytes;
        sum.entries += figures.entries;
        sum.lifelines += figures.lifelines;
        sum.most_unread = sum.most_unread.max(figures.most_unread);
        sum.stops += figures.stops;
        sum.aborts += figures.aborts;
    }
    eprintln!("{sum:?}");
    if sum.schedules >= 1_000 {
        assert!(sum.lifelines > 0 && sum.stops > 0 && sum.aborts > 0);
    }
}

/// How many of the first schedules fail in this way with a mistake.
fn failures(mistake: Mistake, is_expected: impl Fn(&Failure) -> bool) -> usize {
    (0..400)
        .filter(|seed| run(*seed, mistake).is_err_and(|failure| is_expected(&failure)))
        .count()
}

#[test]
fn a_sender_that_ignores_credit_is_noticed() {
    let is_credit = |failure: &Failure| {
        matches!(
            failure,
            Failure::Violation(
                Violation::MessageCredit { .. } | Violation::ConnectionCredit { .. }
            )
        )
    };
    let count = failures(Mistake::IgnoresCredit, is_credit);
    assert!(count > 100, "{count}");
}

#[test]
fn without_lifelines_readers_wait_for_ever() {
    let count = failures(Mistake::NoLifelines, |it| *it == Failure::Hang);
    assert!(count > 0);
}

#[test]
fn without_wakes_readers_wait_for_ever() {
    let count = failures(Mistake::NoWakes, |it| *it == Failure::Hang);
    assert!(count > 0);
}

#[test]
fn a_receiver_that_forgets_what_it_drops_leaks() {
    for mistake in [Mistake::ForgetsAborted, Mistake::ForgetsStopped] {
        let count = failures(mistake, |it| *it == Failure::Leak);
        assert!(count > 0, "{mistake:?}");
    }
}
