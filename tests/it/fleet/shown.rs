//! What a fleet says about itself.

use sockety::{
    error::chain,
    fleet::{Change, Endpoint, Fleet},
};
use std::time::Duration;

use super::bank::*;

#[tokio::test]
async fn no_server_is_ready_for_no_reason_of_one_that_was_removed() {
    let (changes, discover) = Scripted::new();
    let nobody = Endpoint::new(dead().await).expect("an address");
    changes
        .send(Change::Snapshot(vec![nobody]))
        .expect("it listens");
    let fleet = Fleet::<BankClient>::of(discover).name("bank").fail_fast();
    let fleet = fleet.lazy().expect("a fleet");
    until("it was tried", || fleet.stats().failed_connects > 0).await;
    changes
        .send(Change::Snapshot(Vec::new()))
        .expect("it listens");
    until("it is removed", || fleet.endpoints().is_empty()).await;
    let error = fleet.client().port().timeout(Duration::from_secs(1)).await;
    let text = chain(&error.expect_err("no server")).to_string();
    let end = "none of the 0 known servers of bank is ready";
    assert!(text.ends_with(end), "{text}");
}
