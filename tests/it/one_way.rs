//! One-way messages of typed services: those that one read brings share what their handlers need.

use std::sync::{Arc, Mutex};

use sockety::{Connection, Options, Router, service};
use tokio::sync::Semaphore;

use crate::support::{PIPE, pair_with, settled};

#[service]
trait Notes {
    #[action(one_way)]
    async fn note(&self, number: u32, waits: bool);
    #[action(one_way)]
    async fn skip(&self);
    #[action(one_way)]
    async fn fail(&self);
    async fn noted(&self) -> Vec<u32>;
}

struct Book {
    noted: Mutex<Vec<u32>>,
    permits: Semaphore,
}

impl Book {
    fn read(&self) -> Vec<u32> {
        self.noted.lock().expect("no panic under it").clone()
    }
}

impl Notes for Book {
    async fn note(&self, number: u32, waits: bool) {
        if waits {
            self.permits.acquire().await.expect("open").forget();
        }
        self.noted.lock().expect("no panic under it").push(number);
    }

    async fn skip(&self) {}

    async fn fail(&self) {
        panic!("as it has to");
    }

    async fn noted(&self) -> Vec<u32> {
        self.read()
    }
}

async fn notes(options: Options) -> (Connection, Connection, Arc<Book>) {
    let book = Arc::new(Book {
        noted: Mutex::default(),
        permits: Semaphore::new(0),
    });
    let server = NotesServer::from_arc(Arc::clone(&book));
    let here = (Router::new(), Options::default());
    let (near, far) = pair_with(here, (server, options), PIPE).await;
    (near, far, book)
}

#[tokio::test(start_paused = true)]
async fn handlers_that_wait_hold_up_no_others() {
    let (near, far, book) = notes(Options::default()).await;
    let drafts = (0..6).map(|number| NotesDraft::note(number, number % 2 == 0));
    near.pass_all(drafts).await.expect("sent");
    let client = NotesClient::new(near);
    assert_eq!(client.noted().await.expect("a reply"), [1, 3, 5]);
    assert_eq!(far.traffic().requests_executing, 3);
    book.permits.add_permits(3);
    settled().await;
    assert_eq!(book.read().len(), 6);
    assert_eq!(far.traffic().requests_executing, 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_run_than_may() {
    let options = Options::default().max_requests_executing(2);
    let (near, far, book) = notes(options).await;
    let drafts = (0..5).map(|number| NotesDraft::note(number, number < 2));
    near.pass_all(drafts).await.expect("sent");
    settled().await;
    assert!(book.read().is_empty(), "two wait, and the others for them");
    book.permits.add_permits(1);
    settled().await;
    assert_eq!(book.read(), [0, 2, 3, 4]);
    book.permits.add_permits(1);
    settled().await;
    assert_eq!(book.read(), [0, 2, 3, 4, 1]);
    assert_eq!(far.traffic().requests_executing, 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_costs_only_its_message() {
    let (near, far, book) = notes(Options::default()).await;
    let drafts = [
        NotesDraft::note(0, false),
        NotesDraft::fail(),
        NotesDraft::fail(),
        NotesDraft::note(1, false),
        NotesDraft::skip(),
        NotesDraft::note(2, true),
    ];
    near.pass_all(drafts).await.expect("sent");
    settled().await;
    assert_eq!(book.read(), [0, 1]);
    assert_eq!(far.traffic().requests_executing, 1);
    assert!(!far.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_service_is_dropped_with_its_connections() {
    let (near, far, book) = notes(Options::default()).await;
    let drafts = (0..100).map(|number| NotesDraft::note(number, false));
    near.pass_all(drafts).await.expect("sent");
    let client = NotesClient::new(near.clone());
    assert_eq!(client.noted().await.expect("a reply").len(), 100);
    near.close().await;
    far.closed().await;
    drop((near, far, client));
    settled().await;
    assert_eq!(Arc::strong_count(&book), 1);
}
