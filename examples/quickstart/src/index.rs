//! The index itself, without any networking.

use std::collections::{BTreeMap, HashMap};

use crate::service::{Found, Frequency, Hit, IndexError, Query, Size};

/// Lengths of the words that are indexed: shorter ones say little, longer ones are not words.
const MIN_LETTERS: u32 = 2;
const MAX_LETTERS: u32 = 40;

/// Limit for the bytes of all texts, so that clients cannot fill the server's memory.
const ROOM: u64 = 16 * 1024 * 1024;

/// The most places that one search shows, whatever was asked for.
const MAX_HITS: u32 = 100;
const MAX_CONTEXT: u32 = 10;
const MAX_CHARS: usize = 200;

/// All texts, by name.
#[derive(Default)]
pub struct Texts {
    texts: BTreeMap<String, Text>,
}

impl Texts {
    /// Appends to the text with this name, or replaces it if `more` begins at its first line.
    pub fn add(&mut self, name: String, more: Text) -> Result<Size, IndexError> {
        if more.lines_before == 0 {
            self.texts.remove(&name);
        }
        self.check_room(&name, &more)?;
        let text = self.texts.entry(name).or_default();
        text.append(more)?;
        Ok(text.size())
    }

    pub fn frequent(&self, letters: u32, count: u32) -> Vec<Frequency> {
        let mut counts = HashMap::<&str, u32>::new();
        for (word, places) in self.texts.values().flat_map(|text| &text.words) {
            if length(word) >= letters {
                *counts.entry(word).or_default() += places.len() as u32;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
        counts.truncate(count as usize);
        let frequency = |(word, count): (&str, u32)| Frequency {
            word: word.to_owned(),
            count,
        };
        counts.into_iter().map(frequency).collect()
    }

    pub fn search(&self, query: &Query) -> Result<Found, IndexError> {
        let letters = length(&query.word);
        let (min, max) = (MIN_LETTERS, MAX_LETTERS);
        if !(min..=max).contains(&letters) {
            return Err(IndexError::NotAWord { letters, min, max });
        }
        let (mut total, mut hits) = (0, Vec::new());
        for (name, text) in &self.texts {
            let lines = text.lines_with(&query.word.to_lowercase());
            total += lines.len() as u32;
            let wanted = (query.at_most.min(MAX_HITS) as usize).saturating_sub(hits.len());
            hits.extend(
                lines
                    .iter()
                    .take(wanted)
                    .map(|line| text.hit(name, *line, query.context)),
            );
        }
        match total {
            0 => Err(IndexError::NotFound),
            total => Ok(Found { total, hits }),
        }
    }

    fn check_room(&self, name: &str, more: &Text) -> Result<(), IndexError> {
        let taken = |(name, text): (&String, &Text)| name.len() as u64 + text.bytes;
        let used: u64 = self.texts.iter().map(taken).sum();
        if used + name.len() as u64 + more.bytes > ROOM {
            return Err(IndexError::Full { used, limit: ROOM });
        }
        Ok(())
    }
}

/// A text, or a part of one that begins after `lines_before` lines.
#[derive(Default)]
pub struct Text {
    lines_before: u32,
    lines: Vec<String>,
    /// The lines that contain each word, once per occurrence.
    words: HashMap<String, Vec<u32>>,
    bytes: u64,
}

impl Text {
    pub fn after(lines_before: u32) -> Self {
        Self {
            lines_before,
            ..Self::default()
        }
    }

    pub fn push(&mut self, line: &str) {
        let number = self.end();
        for word in words(line) {
            self.words.entry(word).or_default().push(number);
        }
        self.bytes += line.len() as u64 + 1;
        self.lines.push(line.to_owned());
    }

    /// The number of lines up to its end, including those before it.
    pub fn end(&self) -> u32 {
        // Peers can claim any number of lines before; `append` checks it.
        self.lines_before.saturating_add(self.lines.len() as u32)
    }

    fn size(&self) -> Size {
        let words = self.words.values().map(|lines| lines.len() as u32).sum();
        Size {
            lines: self.end(),
            words,
        }
    }

    fn append(&mut self, more: Self) -> Result<(), IndexError> {
        if more.lines_before != self.end() {
            return Err(IndexError::Overtaken);
        }
        self.bytes += more.bytes;
        self.lines.extend(more.lines);
        for (word, lines) in more.words {
            self.words.entry(word).or_default().extend(lines);
        }
        Ok(())
    }

    fn lines_with(&self, word: &str) -> Vec<u32> {
        let mut lines = self.words.get(word).cloned().unwrap_or_default();
        lines.dedup();
        lines
    }

    fn hit(&self, name: &str, line: u32, context: u32) -> Hit {
        let context = context.min(MAX_CONTEXT);
        let start = line.saturating_sub(context);
        let end = (line + context + 1).min(self.end());
        let lines = &self.lines[start as usize..end as usize];
        Hit {
            name: name.to_owned(),
            first: start + 1,
            hit: line - start,
            lines: lines
                .iter()
                .map(|line| line.chars().take(MAX_CHARS).collect())
                .collect(),
        }
    }
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| (MIN_LETTERS..=MAX_LETTERS).contains(&length(word)))
        .map(str::to_lowercase)
}

fn length(word: &str) -> u32 {
    word.chars().count() as u32
}
