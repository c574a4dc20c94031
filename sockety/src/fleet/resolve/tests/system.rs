//! The operating system, which knows at least its own name.

use super::*;
use crate::fleet::resolve::system::Addresses;

#[tokio::test]
async fn localhost_has_an_address() {
    let answer = Addresses::of("localhost", 9_000).resolve().await;
    let answer = answer.expect("an answer");
    assert!(!answer.servers.is_empty());
    for Found { endpoint, .. } in &answer.servers {
        let key = &**endpoint.key();
        assert!(["127.0.0.1:9000", "[::1]:9000"].contains(&key), "{key}");
        assert_eq!(endpoint.tls_name(), Some("localhost"));
    }
    assert_eq!(answer.ttl, 10 * SECOND);
}
