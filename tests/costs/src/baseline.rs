use std::{fmt, fs, path::PathBuf};

use crate::{Result, surroundings::Surroundings};

/// What was counted before, and where.
pub(crate) struct Baseline(Vec<(String, String)>);

const HEAD: &str = "\
# Instructions for one of each, client and server together. Written by
# `cargo run --profile bench -p sockety-costs -- --update`.
";

impl Baseline {
    pub(crate) fn new(surroundings: Surroundings, counts: &[(&str, f64)]) -> Self {
        let surroundings = surroundings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let counts = counts
            .iter()
            .map(|(name, count)| (name.to_string(), format!("{count:.0}")));
        Self(surroundings.chain(counts).collect())
    }

    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string(path())?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let lines = lines.filter_map(|line| line.split_once(" ="));
        let entry = |(name, value): (&str, &str)| (name.to_owned(), value.trim().to_owned());
        Ok(Self(lines.map(entry).collect()))
    }

    pub(crate) fn write(&self) -> Result<()> {
        Ok(fs::write(path(), self.to_string())?)
    }

    /// Empty if there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        let entry = self.0.iter().find(|(own, _)| own == name);
        entry.map_or("", |(_, value)| value)
    }

    pub(crate) fn count(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for (name, value) in &self.0 {
            writeln!(
                f,
                "{}",
                format_args!("{name} = {value}").to_string().trim_end()
            )?;
        }
        Ok(())
    }
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "baseline.txt"]
        .iter()
        .collect()
}
