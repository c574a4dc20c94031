//! The archive: documents in a folder, notes in memory.

use std::{
    collections::HashMap,
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sockety::{
    File,
    error::{SaveError, chain},
};

use crate::{
    complain,
    service::{About, Archive, ArchiveError},
};

/// A folder whose files are the documents.
pub struct Store {
    folder: PathBuf,
    notes: Mutex<HashMap<String, String>>,
}

/// Largest document in bytes; the trait declares the same limit.
const DOCUMENT_BYTES: u64 = 2 << 30;

impl Store {
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().to_owned(),
            notes: Mutex::default(),
        }
    }

    async fn open(&self, name: &str) -> Result<File, ArchiveError> {
        // The same rule as for saving: a plain name, not a path.
        File::from_bytes(name, "")
            .safe_name()
            .map_err(|error| bad_name(&error))?;
        File::open(self.folder.join(name))
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => ArchiveError::NotFound,
                _ => disk_failed(&error),
            })
    }

    fn about(&self, document: &File) -> About {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        About {
            name: document.name().to_owned(),
            size: document.size(),
            note: notes.get(document.name()).cloned(),
        }
    }

    fn note(&self, name: String, note: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(name, note);
    }

    async fn names(&self) -> io::Result<Vec<String>> {
        let mut names = vec![];
        let mut entries = tokio::fs::read_dir(&self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            names.extend(entry.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }
}

impl Archive for Store {
    async fn list(&self) -> Vec<About> {
        let names = self.names().await.unwrap_or_else(|error| {
            disk_failed(&error);
            vec![]
        });
        let mut list = vec![];
        for name in names {
            // Skips files that are still being saved, and everything that is not a file.
            if let Ok(document) = self.open(&name).await {
                list.push(self.about(&document));
            }
        }
        list
    }

    async fn put(&self, document: File) -> Result<About, ArchiveError> {
        let name = document.name().to_owned();
        // Written directly to disk, under a safe and unused name; removed if it is incomplete.
        let saved = document.save_in(&self.folder).limit(DOCUMENT_BYTES).await;
        match saved {
            Ok(saved) => Ok(About {
                name,
                size: saved.size,
                note: None,
            }),
            Err(SaveError::Name(error)) => Err(bad_name(&error)),
            Err(SaveError::Exists { .. }) => Err(ArchiveError::Exists),
            Err(SaveError::Read { .. }) => Err(ArchiveError::NotWhole),
            Err(error) => Err(disk_failed(&error)),
        }
    }

    async fn get(&self, name: String) -> Result<File, ArchiveError> {
        self.open(&name).await
    }

    async fn annotate(&self, name: String, note: String) -> Result<About, ArchiveError> {
        let document = self.open(&name).await?;
        self.note(name, note);
        Ok(self.about(&document))
    }
}

fn bad_name(error: &sockety::error::FileNameError) -> ArchiveError {
    let problem = error.problem().to_string();
    ArchiveError::BadName { problem }
}

/// The cause is for the log, not for callers.
fn disk_failed(error: &dyn Error) -> ArchiveError {
    complain(format_args!("archive: {}", chain(error)));
    ArchiveError::DiskFailed
}
