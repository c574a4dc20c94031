//! Reading the headers of messages and responses.

use super::{Id, uint};

/// Widths of the payload size, by their code.
pub const PAYLOAD: [usize; 4] = [0, 1, 2, 6];
/// Widths of the number of files, by their code.
pub const COUNT: [usize; 4] = [0, 1, 2, 3];
/// Widths of the size of all files, by their code.
pub const TOTAL: [usize; 4] = [2, 3, 4, 6];
/// Widths of the length of an action, by their code.
pub const ACTION: [usize; 2] = [1, 2];
/// Widths of the size of a file, by their code.
pub const FILE_SIZE: [usize; 4] = [1, 2, 3, 6];
/// Widths of the length of a file name, by their code.
pub const NAME: [usize; 2] = [1, 2];

/// A header of a message or response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// In a response, the id of the message it answers.
    pub parent: Option<Id>,
    /// The id by which replies name it.
    pub id: Id,
    /// The action of a message; empty in a response.
    pub action: String,
    /// Bytes of the payload.
    pub payload: u64,
    /// The files, in the order of their indexes.
    pub files: Vec<FileHead>,
}

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHead {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The result of reading a header.
pub enum Read {
    /// The header is incomplete.
    Partial,
    /// The header, and the rules for writers that its form breaks.
    Whole(Head, Vec<&'static str>),
    /// The header breaks this rule.
    Broken(&'static str),
}

/// Reads a header from all the bytes of it that have arrived. A header ends where its packet does.
pub fn read(input: &[u8], is_response: bool) -> Read {
    let mut rest = input;
    let mut oddities = Vec::new();
    match fields(&mut rest, is_response, &mut oddities) {
        None => Read::Partial,
        Some(Err(rule)) => Read::Broken(rule),
        Some(Ok(_)) if !rest.is_empty() => Read::Broken("head.trailing"),
        Some(Ok(head)) => Read::Whole(head, oddities),
    }
}

fn fields(
    rest: &mut &[u8],
    is_response: bool,
    oddities: &mut Vec<&'static str>,
) -> Option<Result<Head, &'static str>> {
    let flags = uint::take(rest, 1)? as u8;
    let code = |shift: u8| usize::from(flags >> shift & 3);
    let long_action = flags >> 1 & 1;
    if flags & 1 != 0 || is_response && long_action != 0 {
        oddities.push("head.reserved");
    }
    let mut head = Head::default();
    if is_response {
        head.parent = Some(id(rest)?);
    }
    head.id = id(rest)?;
    if head.id[6] >> 4 != 4 || head.id[8] >> 6 != 2 {
        oddities.push("head.id.version");
    }
    if !is_response {
        match text(rest, &ACTION, long_action.into(), oddities)? {
            Ok(action) => head.action = action,
            Err(rule) => return Some(Err(rule)),
        }
    }
    head.payload = number(rest, &PAYLOAD, code(6), oddities)?;
    let count = number(rest, &COUNT, code(4), oddities)?;
    if code(4) == 0 {
        return Some(Ok(head));
    }
    let total = number(rest, &TOTAL, code(2), oddities)?;
    for _ in 0..count {
        let form = uint::take(rest, 1)? as usize;
        if form & 0xF1 != 0 {
            oddities.push("head.file.reserved");
        }
        let size = number(rest, &FILE_SIZE, form >> 2 & 3, oddities)?;
        match text(rest, &NAME, form >> 1 & 1, oddities)? {
            Ok(name) => head.files.push(FileHead { name, size }),
            Err(rule) => return Some(Err(rule)),
        }
    }
    let mut sizes = head.files.iter().map(|file| file.size);
    let sum = sizes.try_fold(0_u64, u64::checked_add);
    match sum == Some(total) {
        true => Some(Ok(head)),
        false => Some(Err("head.files.sum")),
    }
}

fn id(rest: &mut &[u8]) -> Option<Id> {
    let (id, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*id)
}

fn number(
    rest: &mut &[u8],
    widths: &[usize],
    form: usize,
    oddities: &mut Vec<&'static str>,
) -> Option<u64> {
    let value = uint::take(rest, widths[form])?;
    if form != uint::smallest(widths, value) {
        oddities.push("head.smallest");
    }
    Some(value)
}

fn text(
    rest: &mut &[u8],
    widths: &[usize],
    form: usize,
    oddities: &mut Vec<&'static str>,
) -> Option<Result<String, &'static str>> {
    let length = number(rest, widths, form, oddities)?;
    let (bytes, after) = rest.split_at_checked(length as usize)?;
    *rest = after;
    Some(String::from_utf8(bytes.to_vec()).map_err(|_| "text.utf8"))
}
