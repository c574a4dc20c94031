//! 5: headers of messages.

use super::prelude::*;

pub fn section() -> Section {
    let mut section = Section::new(5, "Message header");
    for (form, width) in ["one byte", "two bytes", "three bytes", "four bytes"]
        .iter()
        .enumerate()
    {
        section.case(
            "packet.size.any",
            format!("a packet size of {width}"),
            move |t| code(t, Message::ask("ping").packet_size(form), 0),
        );
    }
    section.case(
        "packet.head.flags",
        "bit T attaches a stream",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let sum = Message::ask("stream-sum").stream();
            peer.send([sum.first(), packet::stream(b"attached")].concat())
                .await?;
            peer.send(packet::STREAM_END).await?;
            interop::expect_sum(&peer, &sum.id, b"attached").await?;
            peer.alive().await
        },
    );
    section.case(
        "reply.only-when-expected",
        "a message without bit E is not answered",
        unanswered,
    );
    section.case(
        "reply.expected",
        "a message with bit E is answered once",
        once,
    );
    section.case("head.payload", "no payload", |t| {
        echo(t, Message::ask("raw"), "")
    });
    for (form, width) in [(1, "one byte"), (2, "two bytes"), (3, "six bytes")] {
        section.case(
            "head.payload",
            format!("a payload size of {width}"),
            move |t| {
                echo(
                    t,
                    Message::ask("raw").payload("text").payload_form(form),
                    "text",
                )
            },
        );
    }
    section.case("head.payload", "a payload size of 0", |t| {
        echo(t, Message::ask("raw").payload_form(1), "")
    });
    for (form, width) in [(1, "one byte"), (2, "two bytes"), (3, "three bytes")] {
        section.case(
            "head.files.count",
            format!("a number of files in {width}"),
            move |t| upload(t, Message::ask("upload").file("f", "abc").count_form(form)),
        );
    }
    for (form, width) in ["two", "three", "four", "six"].iter().enumerate() {
        section.case(
            "head.files.total",
            format!("a size of all files in {width} bytes"),
            move |t| upload(t, Message::ask("upload").file("f", "abc").total_form(form)),
        );
    }
    section.case(
        "head.files.total",
        "the width of that size is ignored without files",
        |t| code(t, Message::ask("ping").total_form(3), 0),
    );
    section.case("head.action", "an action whose length has one byte", |t| {
        code(t, Message::ask("x".repeat(255)), NOT_IMPLEMENTED)
    });
    section.case(
        "head.action",
        "an action whose length has two bytes",
        async |t: Trial| {
            code(t.clone(), Message::ask("ping").long_action(), 0).await?;
            code(t, Message::ask("x".repeat(256)), NOT_IMPLEMENTED).await
        },
    );
    section.case(
        "limits.refuse",
        "the longest action is answered or refused, and the connection continues",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            let long = Message::ask("x".repeat(65_535)).payload("with content");
            peer.send(long.bytes()).await?;
            peer.expect_refusal(&long.id).await?;
            peer.alive().await
        },
    );
    section.case(
        "head.trailing",
        "a header that is shorter or longer than its packet ends the connection",
        async |t: Trial| {
            let ping = Message::ask("ping");
            let longer = packet::sized(ping.first_byte(), &[ping.head(), vec![0xA0]].concat());
            t.peer().await?.expect_end_after(longer).await?;
            let head = ping.head();
            let shorter = packet::sized(ping.first_byte(), &head[..head.len() - 1]);
            // The header is incomplete, so another message on the channel is illegal.
            t.peer()
                .await?
                .expect_end_after([shorter, Message::ask("ping").first()].concat())
                .await
        },
    );
    section.case(
        "head.id.opaque",
        "ids of any kind are repeated byte for byte",
        async |t: Trial| {
            let mut peer = t.peer().await?;
            for id in [[0; 16], [0xFF; 16], *b"no uuid at all.."] {
                peer.allow(id, 2);
                peer.send(Message::ask("ping").id(id).bytes()).await?;
                peer.expect_code(&id, 0).await?;
                peer.send(Message::ask("raw").id(id).bytes()).await?;
                peer.until("a response", |all| all.response_to(&id).map(drop))
                    .await?;
            }
            peer.alive().await
        },
    );
    section
}

async fn code(t: Trial, message: Message, code: u16) -> Outcome {
    let mut peer = t.peer().await?;
    peer.send(message.bytes()).await?;
    peer.expect_code(&message.id, code).await?;
    peer.alive().await
}

async fn echo(t: Trial, message: Message, payload: &str) -> Outcome {
    let mut peer = t.peer().await?;
    peer.expect_echo(&message, payload.as_bytes()).await?;
    peer.alive().await
}

async fn upload(t: Trial, message: Message) -> Outcome {
    let mut peer = t.peer().await?;
    peer.send(message.bytes()).await?;
    interop::expect_upload(&peer, &message.id, &[("f", b"abc")]).await?;
    peer.alive().await
}

/// There is no answer, not even with an error.
async fn unanswered(t: Trial) -> Outcome {
    let mut peer = t.peer().await?;
    let payloads: [(&str, &[u8]); 11] = [
        ("ping", b""),
        ("echo", b"\x01"),
        ("echo", b"\xC1"),
        ("raw", b"any"),
        ("code", b"\x05"),
        ("download", b"\xC1"),
        ("upload", b""),
        ("stream-sum", b""),
        ("everything", b""),
        ("notes", b""),
        ("unknown", b"any"),
    ];
    for (action, payload) in payloads {
        peer.send(Message::tell(action).payload(payload).bytes())
            .await?;
    }
    // An answer would have been noticed by its id.
    for _ in 0..3 {
        peer.alive().await?;
    }
    Ok(())
}

async fn once(t: Trial) -> Outcome {
    let mut peer = t.peer().await?;
    let messages = [
        "ping",
        "raw",
        "upload",
        "stream-sum",
        "everything",
        "unknown",
    ]
    .map(Message::ask);
    for message in &messages {
        peer.ask(message).await?;
    }
    // A second answer would have been noticed by now.
    for _ in 0..3 {
        peer.alive().await?;
    }
    let answers = messages.map(|message| peer.look(|all| all.replies_to(&message.id)));
    equal("answers", answers, [1; 6])
}
