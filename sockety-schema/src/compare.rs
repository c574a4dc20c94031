//! What a change of a service means for those that have not changed yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use crate::model::Schema;

mod actions;
mod fields;
mod types;
mod variants;

/// Compares two schemas: what happens when some peers have the new one while others still have the old one.
///
/// Services are compared by the names of their actions, so that an action may move to another service. The verdict may be
/// stricter than what happens, such as for a value that never occurs, but not laxer.
pub fn compare(old: &Schema, new: &Schema) -> Report {
    let mut changes = actions::compare(old, new);
    merge(&mut changes);
    changes.extend(conflicts(&changes));
    changes.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| a.path.cmp(&b.path)));
    Report { changes }
}

/// What has changed between two schemas, see [`compare()`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The changes, the worst ones first.
    pub changes: Vec<Change>,
}

impl Report {
    /// Whether there is a change that no order of renewing makes possible, other than those that are allowed.
    pub fn is_breaking(&self) -> bool {
        self.verdict() == Verdict::Breaking
    }

    /// The worst verdict of all changes that are not allowed.
    pub fn verdict(&self) -> Verdict {
        let changes = self.changes.iter().filter(|change| !change.is_allowed);
        let verdicts = changes.map(|change| change.verdict);
        verdicts.max().unwrap_or(Verdict::Compatible)
    }

    /// Marks the changes that are meant.
    pub fn allow(&mut self, allowed: &Allowed) {
        for change in &mut self.changes {
            change.is_allowed |= allowed.covers(change);
        }
    }
}

/// One line for each change.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        Ok(())
    }
}

/// A change between two schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The rule that decides.
    pub rule: Rule,
    /// What it means.
    pub verdict: Verdict,
    /// The direction in which the value travels, if it is about one.
    pub direction: Option<Direction>,
    /// From the action to what has changed: `bank.transfer/request/transfer/Transfer.cents`.
    pub path: String,
    /// Other paths that lead to the same.
    pub also: Vec<String>,
    /// What has changed.
    pub text: String,
    /// Whether an [`Allowed`] covers it.
    pub is_allowed: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            verdict,
            path,
            also,
            text,
            ..
        } = self;
        let allowed = if self.is_allowed { ", allowed" } else { "" };
        write!(f, "{verdict}{allowed}: {path}: {text} [{rule}]")?;
        match also.len() {
            0 => Ok(()),
            1 => write!(f, ", also {}", also[0]),
            more => write!(f, ", also {} and {} more", also[0], more - 1),
        }
    }
}

/// What a change means, from harmless to harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Old and new peers understand each other.
    Compatible,
    /// They do, but something is refused or repeated otherwise than before.
    Warning,
    /// They do once every server has been renewed before any client uses the change.
    ServersFirst,
    /// They do once every client has been renewed before any server uses the change.
    ClientsFirst,
    /// They do not.
    Breaking,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compatible => "compatible",
            Self::Warning => "warning",
            Self::ServersFirst => "servers first",
            Self::ClientsFirst => "clients first",
            Self::Breaking => "breaking",
        })
    }
}

/// The direction in which a value travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From clients to servers.
    Request,
    /// From servers to clients.
    Reply,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Reply => "reply",
        })
    }
}

macro_rules! rules {
    ($($(#[$docs:meta])* $name:ident $id:literal,)*) => {
        /// A rule, by which a change is judged.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$docs])* $name,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name of the rule, such as `field.gone`.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }
        }
    };
}

rules! {
    /// An action, or one of its names, is not served any more.
    ActionGone "action.gone",
    /// An action, or one of its names, is new.
    ActionNew "action.new",
    /// One parameter became several, which are a map, or several became one.
    ParametersForm "parameters.form",
    /// A field or parameter is new, or needed now.
    FieldNew "field.new",
    /// A field or parameter is gone, or may be left out now.
    FieldGone "field.gone",
    /// A field or parameter has another name.
    FieldName "field.name",
    /// A number has another range.
    NumberRange "number.range",
    /// Integers became floats, or floats integers.
    NumberKind "number.kind",
    /// A value may be absent now, or must be there now.
    Option "option",
    /// A variant is new.
    VariantNew "variant.new",
    /// A variant is gone.
    VariantGone "variant.gone",
    /// An enum says in another way which variant a value is, or a variant has another name or another kind of content.
    EnumForm "enum.form",
    /// An error is new. Old clients see it as a code or a text.
    ErrorNew "error.new",
    /// An error has another code, or has data now, or none.
    ErrorForm "error.form",
    /// Other files or another stream.
    ContentForm "content.form",
    /// Callers wait for a reply now, or do not any more.
    ReplyForm "reply.form",
    /// An action must not be repeated any more.
    IdempotentGone "idempotent.gone",
    /// An action may be repeated now, where old servers are prepared for it.
    IdempotentNew "idempotent.new",
    /// A limit is lower.
    Limit "limit",
    /// A timeout is shorter.
    Timeout "timeout",
    /// A value is of another kind.
    Type "type",
    /// The keys of a map are of another type.
    MapKey "map.key",
    /// Unknown fields are refused.
    Strict "strict",
    /// A tuple has other items.
    Tuple "tuple",
    /// Some changes need servers to be renewed first, others clients.
    Order "order",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Changes that are meant: a rule, and where, as `field.gone` and `field.gone:Transfer.cents`.
///
/// The part behind the colon is a whole path, its beginning up to a `/`, or what is behind its last `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    rule: Rule,
    path: Option<String>,
}

impl Allowed {
    fn covers(&self, change: &Change) -> bool {
        let is_there = |path: &String| match &self.path {
            None => true,
            Some(of) => {
                let last = path.rsplit('/').next().unwrap_or_default();
                path == of
                    || last == of
                    || path
                        .strip_prefix(of)
                        .is_some_and(|rest| rest.starts_with('/'))
            }
        };
        let mut paths = std::iter::once(&change.path).chain(&change.also);
        self.rule == change.rule && paths.all(is_there)
    }
}

impl FromStr for Allowed {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        let (id, path) = match text.split_once(':') {
            Some((id, path)) => (id, Some(path.to_owned())),
            None => (text, None),
        };
        let rule = Rule::ALL.iter().find(|rule| rule.id() == id);
        match rule {
            Some(rule) => Ok(Self { rule: *rule, path }),
            None => Err(UnknownRule { id: id.to_owned() }),
        }
    }
}

/// There is no rule of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownRule {
    /// The name.
    pub id: String,
}

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        write!(
            f,
            "unknown rule {:?}: rules are {}",
            self.id,
            known.join(", ")
        )
    }
}

impl std::error::Error for UnknownRule {}

/// Changes of one type that several actions lead to are one.
fn merge(changes: &mut Vec<Change>) {
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    let mut merged: Vec<Change> = Vec::new();
    for change in changes.drain(..) {
        // What has no type of a name on its path is different for each action.
        let is_named = change.path.matches('/').count() > 2;
        let place = match is_named {
            true => change
                .path
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            false => change.path.clone(),
        };
        let key = (
            place,
            change.rule,
            change.verdict,
            change.direction,
            change.text.clone(),
        );
        match known.get(&key) {
            Some(index) => merged[*index].also.push(change.path),
            None => {
                known.insert(key, merged.len());
                merged.push(change);
            }
        }
    }
    *changes = merged;
}

/// Opposite orders for one action, or for one type, are no order. For several ones there are several steps.
fn conflicts(changes: &[Change]) -> Vec<Change> {
    let mut of_actions: BTreeMap<&str, BTreeSet<Verdict>> = BTreeMap::new();
    let mut of_types: BTreeMap<&str, (BTreeSet<Verdict>, BTreeSet<&str>)> = BTreeMap::new();
    for change in changes {
        // Nobody calls a new action before it is there.
        let is_order = matches!(
            change.verdict,
            Verdict::ServersFirst | Verdict::ClientsFirst
        );
        if !is_order || change.rule == Rule::ActionNew {
            continue;
        }
        for path in std::iter::once(&change.path).chain(&change.also) {
            let mut parts = path.split('/');
            let action = parts.next().unwrap_or_default();
            of_actions.entry(action).or_default().insert(change.verdict);
            // Behind the action, the direction and the parameter are types, and what has changed of the last one.
            if let Some(last) = parts.skip(2).last() {
                let name = last.split(['.', '[', '{']).next().unwrap_or_default();
                let (orders, actions) = of_types.entry(name).or_default();
                orders.insert(change.verdict);
                actions.insert(action);
            }
        }
    }
    let conflict = |path: &str, verdict, text: &str| Change {
        rule: Rule::Order,
        verdict,
        direction: None,
        path: path.to_owned(),
        also: Vec::new(),
        text: text.to_owned(),
        is_allowed: false,
    };
    let text = "some changes need servers to be renewed first, others clients";
    let is_conflict = |action: &&str| {
        of_actions
            .get(*action)
            .is_some_and(|orders| orders.len() > 1)
    };
    let actions = of_actions.keys().copied().filter(is_conflict);
    let types = of_types
        .iter()
        .filter(|(_, (orders, actions))| orders.len() > 1 && !actions.iter().any(is_conflict))
        .map(|(name, _)| *name);
    let mut found: Vec<_> = actions
        .chain(types)
        .map(|path| conflict(path, Verdict::Breaking, text))
        .collect();
    let all: BTreeSet<_> = of_actions.values().flatten().collect();
    if found.is_empty() && all.len() > 1 {
        let text = format!("{text}: release them one after the other");
        found.push(conflict("services", Verdict::Warning, &text));
    }
    found
}

/// A difference, before it is known who writes and who reads.
#[derive(Debug, Clone)]
struct Difference {
    rule: Rule,
    /// The types on the way, and what has changed: `Transfer.cents`.
    path: Vec<String>,
    text: String,
    /// Whether a peer with the old schema reads what one with the new schema writes.
    old_reads_new: bool,
    new_reads_old: bool,
    /// Whether it is worth a warning if both do.
    is_warning: bool,
}

impl Difference {
    /// What it means for values of this direction.
    fn verdict(&self, direction: Direction) -> Verdict {
        // A server that is renewed first reads what old clients write, and old clients read what it writes.
        let (servers_first, clients_first) = match direction {
            Direction::Request => (self.new_reads_old, self.old_reads_new),
            Direction::Reply => (self.old_reads_new, self.new_reads_old),
        };
        match (servers_first, clients_first) {
            (true, true) if self.is_warning => Verdict::Warning,
            (true, true) => Verdict::Compatible,
            (true, false) => Verdict::ServersFirst,
            (false, true) => Verdict::ClientsFirst,
            (false, false) => Verdict::Breaking,
        }
    }
}
