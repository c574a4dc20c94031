//! Files, in both directions.

use futures_util::future::try_join_all;
use sockety::{Connection, message::Draft};

use super::{Checks, Outcome, equal, expect_generated, response};
use crate::{
    content, digest,
    service::{FileDigest, Wanted},
};

pub(super) fn add(checks: &mut Checks) {
    // Around the limits of the size fields; the largest one also in total size.
    for size in [
        0,
        1,
        255,
        256,
        300,
        65_535,
        65_536,
        70_000,
        5 << 20,
        (16 << 20) + 1,
    ] {
        add_both(checks, format!("a file of {size} bytes"), move || {
            vec![wanted("file", size)]
        });
    }
    add_both(checks, "no files", Vec::new);
    add_both(checks, "files of 0, 1, 300, 70,000 bytes and 5 MiB", || {
        let sizes = [0, 1, 300, 70_000, 5 << 20];
        sizes
            .map(|size| wanted(&format!("{size}.bin"), size))
            .into()
    });
    add_both(checks, "files with unusual names", unusual_names);
    // The index of a file has three forms: none for the first, then one byte, then two.
    for count in [255, 256, 257, 300, 1024] {
        add_both(checks, format!("{count} files"), move || {
            (0..count).map(|i| wanted(&format!("{i}"), i % 7)).collect()
        });
    }
    add_both(checks, "8 files of 1 MiB", || {
        (0..8).map(|i| wanted(&format!("{i}"), 1 << 20)).collect()
    });
}

/// Adds a check that sends these files, and one that receives them.
fn add_both<F>(checks: &mut Checks, what: impl Into<String>, files: F)
where
    F: Fn() -> Vec<Wanted> + Clone + Send + 'static,
{
    let what = what.into();
    let same_files = files.clone();
    checks.add(format!("upload of {what}"), |connection| async move {
        upload(&connection, files()).await
    });
    checks.add(format!("download of {what}"), |connection| async move {
        download(&connection, same_files()).await
    });
}

fn wanted(name: &str, size: u64) -> Wanted {
    Wanted {
        name: name.to_owned(),
        size,
    }
}

fn unusual_names() -> Vec<Wanted> {
    // The size of a name has two forms as well.
    let (long, longer) = ("n".repeat(255), "n".repeat(256));
    let names = [
        "",
        "",
        "Grüße an 世界 🦀.txt",
        "../../etc/passwd",
        "C:\\con",
        "line\nbreak\0",
        "same",
        "same",
        &long,
        &longer,
    ];
    names.iter().map(|name| wanted(name, 3)).collect()
}

async fn upload(connection: &Connection, files: Vec<Wanted>) -> Outcome {
    let expected: Vec<_> = files.iter().map(expected_digest).collect();
    let files = files.into_iter();
    let files = files.map(|file| content::file(file.name, file.size));
    let message = Draft::new("upload").create().with_files(files);
    let found: Vec<FileDigest> = response(connection, message).await?.msgpack()?;
    equal("number of files", &found.len(), &expected.len())?;
    for (found, expected) in found.iter().zip(&expected) {
        equal("file", found, expected)?;
    }
    Ok(())
}

fn expected_digest(file: &Wanted) -> FileDigest {
    FileDigest {
        name: file.name.clone(),
        size: file.size,
        sha256: digest::of_bytes(&content::bytes(file.size as usize)).sha256,
    }
}

async fn download(connection: &Connection, wanted: Vec<Wanted>) -> Outcome {
    let message = Draft::new("download").with_msgpack(&wanted)?;
    let files = response(connection, &message).await?.take_files();
    equal("number of files", &files.len(), &wanted.len())?;
    for (file, wanted) in files.iter().zip(&wanted) {
        equal("name", file.name(), &wanted.name)?;
        equal("announced size", &file.size(), &wanted.size)?;
    }
    // Concurrently, because the server may interleave them.
    try_join_all(files.into_iter().map(expect_generated))
        .await
        .map(drop)
}
