//! A library that counts its books.

use std::{collections::HashMap, sync::Mutex};

use serde::{Deserialize, Serialize};
use sockety::{File, ServiceError, service};
use tokio::io::AsyncReadExt;

#[service(prefix = "library.")]
pub trait Library {
    /// The number of copies of a book.
    async fn copies(&self, title: String) -> Result<u32, LibraryError>;

    /// Takes a copy, unless it is the last one.
    async fn lend(&self, title: String) -> Result<(), LibraryError>;

    /// Counts the lines of a text.
    async fn scan(&self, page: File) -> Result<u64, LibraryError>;
}

#[derive(Debug, Serialize, Deserialize, ServiceError)]
pub enum LibraryError {
    /// no such book
    #[code(16)]
    NoSuchBook,
    /// too few copies are left
    #[code(17)]
    TooFew { left: u32 },
    /// the page did not come
    #[code(18)]
    NoPage,
}

pub struct Shelf(Mutex<HashMap<String, u32>>);

impl Shelf {
    pub fn new() -> Self {
        let books = [("Emma", 3), ("Dune", 1)];
        let books = books.map(|(title, copies)| (title.to_owned(), copies));
        Self(Mutex::new(books.into()))
    }
}

impl Library for Shelf {
    async fn copies(&self, title: String) -> Result<u32, LibraryError> {
        // Inside the span of the call.
        tracing::debug!(%title, "counting");
        let books = self.0.lock().expect("no holder panics");
        books.get(&title).copied().ok_or(LibraryError::NoSuchBook)
    }

    async fn lend(&self, title: String) -> Result<(), LibraryError> {
        let mut books = self.0.lock().expect("no holder panics");
        match books.get_mut(&title) {
            None => Err(LibraryError::NoSuchBook),
            Some(left @ ..2) => Err(LibraryError::TooFew { left: *left }),
            Some(copies) => {
                *copies -= 1;
                Ok(())
            }
        }
    }

    async fn scan(&self, mut page: File) -> Result<u64, LibraryError> {
        let (mut lines, mut bytes) = (0, vec![0; 4096]);
        loop {
            let count = page.read(&mut bytes).await;
            match count.map_err(|_| LibraryError::NoPage)? {
                0 => return Ok(lines),
                count => lines += bytes[..count].iter().filter(|it| **it == b'\n').count() as u64,
            }
        }
    }
}
