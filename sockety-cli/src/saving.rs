//! Saves files that arrive, or drops them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytesize::ByteSize;
use clap::Args;
use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use sockety::{File, content::sweep_partial_files};

use crate::{
    exit::{Exit, Failure, explain},
    out,
    progress::Progress,
    shown::{escaped, quoted},
};

/// Arguments for files that arrive.
#[derive(Debug, Clone, Args)]
pub struct SaveArgs {
    /// Save received files in this directory, never overwriting any; without this option they are
    /// dropped
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Largest file to save
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    max_file: ByteSize,
    /// Largest size of all saved files together
    #[arg(long, value_name = "SIZE", default_value = "10GiB")]
    max_saved: ByteSize,
    /// Largest number of saved files
    #[arg(long, value_name = "N", default_value = "10000")]
    max_saved_files: u64,
    #[arg(skip)]
    used: Arc<Mutex<Used>>,
}

/// What files that are saved, or being saved, take of the limits.
#[derive(Debug, Default)]
struct Used {
    bytes: u64,
    files: u64,
    /// Whether it was said that a limit is reached.
    is_told: bool,
}

/// A received file and what was done with it.
#[derive(Debug)]
pub struct Arrived {
    name: String,
    size: u64,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    Saved(PathBuf),
    Dropped,
    Failed(Exit, String),
}

impl SaveArgs {
    /// Creates the directory if it does not exist, and removes what runs that were killed have left
    /// in it.
    pub async fn prepare(&self) -> Result<(), Failure> {
        let Some(directory) = &self.save else {
            return Ok(());
        };
        std::fs::create_dir_all(directory).map_err(|error| {
            Failure::local(format!("cannot create {}: {error}", directory.display()))
        })?;
        // What cannot be removed is no reason to save nothing.
        let _ = sweep_partial_files(directory).await;
        Ok(())
    }

    /// Receives files concurrently, because the peer may interleave them.
    pub async fn take(&self, files: Vec<File>, progress: &Progress) -> Vec<Arrived> {
        let taking = files.into_iter().enumerate().map(async |(index, file)| {
            let (name, size) = (file.name().to_owned(), file.size());
            let fate = match &self.save {
                None => Fate::Dropped,
                Some(directory) => self.save(index, file, directory, progress).await,
            };
            Arrived { name, size, fate }
        });
        join_all(taking).await
    }

    /// Takes room for a file of this size, or says which limit leaves none.
    fn reserve(&self, size: u64) -> Result<(), String> {
        let mut used = self.used();
        let (bytes, files) = (used.bytes.saturating_add(size), used.files + 1);
        let (limit, limit_of_files) = (self.max_saved.as_u64(), self.max_saved_files);
        let problem = if files > limit_of_files {
            format!("{limit_of_files} files are saved, the limit of --max-saved-files")
        } else if bytes > limit {
            let taken = used.bytes;
            format!("{taken} of the {limit} bytes of --max-saved are taken")
        } else {
            (used.bytes, used.files) = (bytes, files);
            return Ok(());
        };
        if !std::mem::replace(&mut used.is_told, true) {
            out::warn(format_args!(
                "files that exceed a limit are not saved: {problem}"
            ));
        }
        Err(problem)
    }

    fn give_back(&self, size: u64) {
        let mut used = self.used();
        used.bytes -= size;
        used.files -= 1;
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn save(&self, index: usize, file: File, directory: &Path, progress: &Progress) -> Fate {
        let size = file.size();
        if let Err(problem) = self.reserve(size) {
            return Fate::Failed(Exit::Local, problem);
        }
        let bar = progress.file(index, "saving", file.name(), file.size());
        let on_progress = {
            let bar = bar.clone();
            move |saved, _| bar.set_position(saved)
        };
        let limit = self.max_file.as_u64();
        let saving = file
            .save_in(directory)
            .limit(limit)
            .on_progress(on_progress);
        let saved = saving.await;
        bar.finish_and_clear();
        if saved.is_err() {
            self.give_back(size);
        }
        match saved {
            Ok(saved) => Fate::Saved(saved.path),
            // A read error is the peer's or the connection's fault; others are about the local
            // disk.
            Err(error) => match error.read_error() {
                Some(_) => Fate::Failed(Exit::ReplyLost, explain(&error)),
                None => {
                    let path = error.path().map(|path| format!(" ({})", path.display()));
                    let text = explain(&error) + &path.unwrap_or_default();
                    Fate::Failed(Exit::Local, text)
                }
            },
        }
    }
}

impl Arrived {
    /// The exit code for this file.
    pub fn exit(&self) -> Exit {
        match &self.fate {
            Fate::Saved(_) | Fate::Dropped => Exit::Done,
            Fate::Failed(exit, _) => *exit,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let what = format!("file {}, {} bytes", quoted(&self.name), self.size);
        match &self.fate {
            Fate::Saved(path) => format!("{what}: saved as {}", escaped(&path.to_string_lossy())),
            Fate::Dropped => format!("{what}: dropped; use --save DIR to keep it"),
            Fate::Failed(_, problem) => format!("{what}: not saved: {}", escaped(problem)),
        }
    }

    /// For programs.
    pub fn json(&self) -> Json {
        let mut json = json!({ "name": self.name, "size": self.size });
        match &self.fate {
            Fate::Saved(path) => json["saved"] = path.to_string_lossy().into(),
            Fate::Dropped => {}
            Fate::Failed(_, problem) => json["error"] = problem.as_str().into(),
        }
        json
    }
}
