//! How a case ends, and the checks that end it.

/// Why a case stopped before its end.
#[derive(Debug)]
pub enum Stop {
    Failed(String),
    Skipped(String),
}

pub type Outcome<T = ()> = Result<T, Stop>;

pub fn failed(what: impl Into<String>) -> Stop {
    Stop::Failed(what.into())
}

pub fn fail<T>(what: impl Into<String>) -> Outcome<T> {
    Err(failed(what))
}

pub fn skip<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Stop::Skipped(why.into()))
}

pub fn ensure(holds: bool, what: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { fail(what) }
}

pub fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    let text = || {
        let short = |value: &T| format!("{value:?}").chars().take(200).collect::<String>();
        format!("{what}: {} instead of {}", short(&found), short(&expected))
    };
    if found == expected {
        Ok(())
    } else {
        Err(failed(text()))
    }
}
