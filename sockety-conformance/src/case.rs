//! Cases and sections.

use std::{fmt, pin::Pin, str::FromStr, sync::Arc};

use crate::{outcome::Outcome, trial::Trial};

/// The section of extensions, which is shown as X.
pub const EXTENSION: u32 = 17;

/// The id of a case, shown as `section/number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub section: u32,
    pub number: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", section_name(self.section), self.number)
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (section, number) = text.split_once('/')?;
            let (section, number) = (parse_section(section).ok()?, number.parse().ok()?);
            Some(Self { section, number })
        };
        parse().ok_or_else(|| format!("invalid case `{text}`: expected a form like 5/17"))
    }
}

pub fn section_name(number: u32) -> String {
    match number {
        EXTENSION => "X".to_owned(),
        number => number.to_string(),
    }
}

pub fn parse_section(text: &str) -> Result<u32, String> {
    match text {
        "X" | "x" => Ok(EXTENSION),
        number => number
            .parse()
            .map_err(|_| format!("invalid section `{number}`")),
    }
}

type Run = Box<dyn Fn(Trial) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

pub struct Case {
    pub id: Id,
    pub title: String,
    /// The id of a rule of `PROTOCOL.md`, or of a row of `THREATS.md`.
    pub rule: &'static str,
    run: Run,
}

impl Case {
    pub fn run(&self, trial: Trial) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        (self.run)(trial)
    }
}

/// The cases about one topic.
pub struct Section {
    pub number: u32,
    pub title: &'static str,
    pub cases: Vec<Arc<Case>>,
}

impl Section {
    pub fn new(number: u32, title: &'static str) -> Self {
        Self {
            number,
            title,
            cases: Vec::new(),
        }
    }

    /// Adds the case with the next number.
    pub fn case<F, R>(&mut self, rule: &'static str, title: impl Into<String>, run: F)
    where
        F: Fn(Trial) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let number = self.cases.len() as u32 + 1;
        self.cases.push(Arc::new(Case {
            id: Id {
                section: self.number,
                number,
            },
            title: title.into(),
            rule,
            run: Box::new(move |trial| Box::pin(run(trial))),
        }));
    }
}
