//! The server: saves received files in a folder.

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use sockety::{File, Server, error::chain};

use crate::{
    hashing::Hashing,
    screen::{Screen, printable},
    service::{DropBox, DropBoxServer, Entry},
};

/// The largest accepted file.
const LARGEST: u64 = 64 << 30;

/// Number of files of one call that are saved concurrently. This bounds the memory, however many
/// files a call has: meanwhile, the library stores the others in temporary files, if a peer
/// interleaves them.
const AT_A_TIME: usize = 8;

/// Serves until Ctrl-C.
pub async fn run(address: &str, folder: &Path, screen: &Screen) -> Result<(), Box<dyn Error>> {
    // Left behind by a process that was killed.
    let swept = sockety::content::sweep_partial_files(folder).await?;
    if swept > 0 {
        screen.say(format_args!("removed {swept} partial files"));
    }
    let server = Server::bind(address).await?;
    let address = server.local_addr()?;
    let folder_shown = folder.display();
    screen.say(format_args!(
        "listening on {address}, saving in {folder_shown}, Ctrl-C stops"
    ));
    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.stop();
        }
    });
    server.serve(service(folder, screen)).await?;
    screen.say("stopped");
    Ok(())
}

/// The service, ready to be served.
pub fn service(folder: &Path, screen: &Screen) -> DropBoxServer<Folder> {
    DropBoxServer::new(Folder {
        path: folder.to_owned(),
        screen: screen.clone(),
    })
}

pub struct Folder {
    path: PathBuf,
    screen: Screen,
}

impl DropBox for Folder {
    async fn put(&self, files: Vec<File>) -> Vec<Result<Entry, String>> {
        let total = files.iter().map(File::size).sum();
        let bar = self.screen.bar(title(&files), total);
        let saves: Vec<_> = files
            .into_iter()
            .map(|file| self.put_one(file, &bar))
            .collect();
        stream::iter(saves).buffered(AT_A_TIME).collect().await
    }
}

impl Folder {
    async fn put_one(&self, file: File, bar: &ProgressBar) -> Result<Entry, String> {
        let name = file.name().to_owned();
        match self.save(file, bar.clone()).await {
            Ok(entry) => {
                self.screen.say(&entry);
                Ok(entry)
            }
            Err(error) => {
                let reason = chain(&*error).to_string();
                let shown = printable(&name);
                self.screen
                    .complain(format_args!("not saved: {shown:.80}: {reason}"));
                Err(reason)
            }
        }
    }

    async fn save(
        &self,
        file: File,
        bar: ProgressBar,
    ) -> Result<Entry, Box<dyn Error + Send + Sync>> {
        let (name, size) = (file.name().to_owned(), file.size());
        // Every reader can be a file again: this one is hashed while it is saved.
        let (reader, hash) = Hashing::new(file);
        let mut before = 0;
        // Checks the name, overwrites nothing, and leaves nothing behind of an incomplete file.
        let saved = File::from_reader(name.clone(), size, reader)
            .save_in(&self.path)
            .limit(LARGEST)
            .on_progress(move |saved, _| {
                bar.inc(saved - before);
                before = saved;
            })
            .await?;
        Ok(Entry {
            name,
            size: saved.size,
            sha256: hash.await?,
        })
    }
}

fn title(files: &[File]) -> String {
    match files {
        [file] => format!("receiving {:.40}", printable(file.name())),
        files => format!("receiving {} files", files.len()),
    }
}
