//! Where lines end.

use crate::names::comment;

/// The most columns of a line that could be shorter.
const WIDTH: usize = 116;

/// Text that is on one line if there is room.
#[derive(Debug, Clone)]
pub(crate) enum Doc {
    Text(String),
    Row(Vec<Self>),
    Group(Group),
}

/// Items between brackets, each on its line if they do not fit on one.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    open: String,
    close: String,
    /// Between items, and after the last one of several lines.
    separator: &'static str,
    /// Whether blanks are inside the brackets of one line.
    is_spaced: bool,
    is_spread: bool,
    items: Vec<Item>,
}

/// An item with its comment.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) docs: String,
    pub(crate) doc: Doc,
}

impl From<&str> for Doc {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Doc {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Doc> for Item {
    fn from(doc: Doc) -> Self {
        Self {
            docs: String::new(),
            doc,
        }
    }
}

impl Doc {
    pub(crate) fn row<const N: usize>(parts: [Self; N]) -> Self {
        Self::Row(parts.into())
    }

    /// `{ a: b; c: d }`.
    pub(crate) fn object_type(items: Vec<Item>) -> Self {
        Self::group("{", "}", ";", true, items)
    }

    /// `{ a: b, c: d }`.
    pub(crate) fn object(items: Vec<Item>) -> Self {
        Self::group("{", "}", ",", true, items)
    }

    /// `[a, b]`.
    pub(crate) fn list(items: Vec<Item>) -> Self {
        Self::group("[", "]", ",", false, items)
    }

    /// `name(a, b)`.
    pub(crate) fn call(name: &str, items: Vec<Item>) -> Self {
        Self::group(&format!("{name}("), ")", ",", false, items)
    }

    fn group(
        open: &str,
        close: &str,
        separator: &'static str,
        is_spaced: bool,
        items: Vec<Item>,
    ) -> Self {
        Self::Group(Group {
            open: open.to_owned(),
            close: close.to_owned(),
            separator,
            is_spaced,
            is_spread: items.iter().any(|item| !item.docs.is_empty()),
            items,
        })
    }

    /// Each item on its line.
    pub(crate) fn spread(mut self) -> Self {
        if let Self::Group(group) = &mut self {
            group.is_spread = true;
        }
        self
    }

    pub(crate) fn write(&self, indent: usize, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Row(parts) => parts.iter().for_each(|part| part.write(indent, out)),
            Self::Group(group) => group.write(indent, out),
        }
    }

    pub(crate) fn text(&self, indent: usize) -> String {
        let mut text = String::new();
        self.write(indent, &mut text);
        text
    }

    /// On one line, unless it needs several, or more room.
    fn flat(&self, room: usize, out: &mut String) -> bool {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Row(parts) => return parts.iter().all(|part| part.flat(room, out)),
            Self::Group(group) => return group.flat(room, out),
        }
        out.len() <= room
    }
}

impl Group {
    fn flat(&self, room: usize, out: &mut String) -> bool {
        if self.is_spread && !self.items.is_empty() {
            return false;
        }
        let blank = match self.is_spaced && !self.items.is_empty() {
            true => " ",
            false => "",
        };
        *out += &self.open;
        *out += blank;
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                *out += self.separator;
                *out += " ";
            }
            if !item.doc.flat(room, out) {
                return false;
            }
        }
        *out += blank;
        *out += &self.close;
        out.len() <= room
    }

    fn write(&self, indent: usize, out: &mut String) {
        let column = out.len() - out.rfind('\n').map_or(0, |end| end + 1);
        let mut flat = String::new();
        if self.flat(WIDTH.saturating_sub(column), &mut flat) {
            *out += &flat;
            return;
        }
        *out += &self.open;
        // The brackets of the only argument are enough.
        if let [Item { docs, doc }] = &self.items[..]
            && self.open.ends_with('(')
            && docs.is_empty()
            && matches!(doc, Doc::Group(_))
        {
            doc.write(indent, out);
            *out += &self.close;
            return;
        }
        out.push('\n');
        for item in &self.items {
            *out += &comment(&item.docs, indent + 1);
            *out += &"  ".repeat(indent + 1);
            item.doc.write(indent + 1, out);
            *out += self.separator;
            out.push('\n');
        }
        *out += &"  ".repeat(indent);
        *out += &self.close;
    }
}
