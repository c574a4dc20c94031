//! Unexpected replies: rows R.

use sockety::{
    Connection, Router,
    message::{Draft, Request},
};

use crate::support::{
    Peer, answers_ping, code_of, dialogue, id, is_pending, ping_handler, settled,
};

async fn asked(connection: &Connection, peer: &mut Peer) -> Request {
    let request = connection.send(&Draft::new("ask")).await.expect("sent");
    peer.expect_message("ask").await;
    request
}

#[tokio::test(start_paused = true)]
async fn t_r4_a_peer_cannot_answer_what_was_asked_of_another() {
    let (first, mut honest) = dialogue(Router::new()).await;
    let (_second, mut liar) = dialogue(ping_handler()).await;
    let mut request = asked(&first, &mut honest).await;
    liar.reply(request.id(), 1).await;
    liar.respond(request.id(), id(1), b"forged").await;
    answers_ping(&mut liar).await;
    {
        let mut waiting = Box::pin(request.response());
        assert!(is_pending(&mut waiting).await);
    }
    honest.reply(request.id(), 7).await;
    assert_eq!(code_of(request).await, 7);
}

#[tokio::test(start_paused = true)]
async fn t_r5_a_reply_before_the_end_of_a_stream_resolves_the_call_and_the_stream_goes_on() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut request = connection
        .send(&Draft::new("ask").with_stream())
        .await
        .expect("sent");
    let mut writer = request.take_writer().expect("the writer");
    peer.expect("01 23 15 00 <id> 03 61736b").await;
    peer.reply(request.id(), 1).await;
    assert_eq!(code_of(request).await, 1);
    writer.write_chunk(&b"hi"[..]).await.expect("written");
    writer.finish().expect("written");
    peer.expect("70 02 6869 80").await;
}

#[tokio::test(start_paused = true)]
async fn t_r6_a_reply_to_a_message_that_expects_none_is_dropped() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    for _ in 0..10 {
        connection.pass(&Draft::new("note")).await.expect("written");
        let (id, _) = peer.expect_message("note").await;
        peer.reply(id, 0).await;
        peer.respond(id, crate::support::id(1), b"unwanted").await;
    }
    answers_ping(&mut peer).await;
    settled().await;
    let request = asked(&connection, &mut peer).await;
    peer.reply(request.id(), 0).await;
    assert_eq!(code_of(request).await, 0);
}
