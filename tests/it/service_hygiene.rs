//! Names, conditions and attributes of the user do not interfere with generated code, nor the
//! reverse.

use sockety::{
    CallError, Connection, Context, FastReply, Router, ServiceError, error::NoError, pair,
    serve::Service, service,
};

/// Has the name that a type parameter would have.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct S(u64);

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, ServiceError)]
enum OddError {
    #[code(16)]
    Plain,
    /// It was {this} long.
    #[code(17)]
    Long { r#type: String, size: u64 },
}

#[service(prefix = "odd.")]
trait Odd {
    #[cfg(not(test))]
    async fn missing(&self, value: Missing) -> Missing;
    async fn r#move(&self, r#type: u64, service: S) -> S;
    #[cfg(test)]
    async fn body(&self, value: u64, body: u64, responder: u64) -> (u64, u64, u64);
    #[action(name = "Echo Some Text")]
    async fn echo(&self, arguments: String) -> Result<String, OddError>;
    async fn action(&self, incoming: u64, cx: &Context) -> Result<(), OddError>;
    async fn default(&self, mut text: String) -> String {
        text.push('!');
        text
    }
    #[action(one_way)]
    async fn track(&self, output: String);
    async fn nested(&self, cx: &Context) -> Option<Vec<S>>;
    #[allow(non_snake_case)]
    async fn camelCase(&self, userId: u64, clipId: u64) -> u64;
}

struct Store;

impl Odd for Store {
    async fn r#move(&self, r#type: u64, service: S) -> S {
        S(r#type + service.0)
    }

    async fn body(&self, value: u64, body: u64, responder: u64) -> (u64, u64, u64) {
        (value, body, responder)
    }

    async fn echo(&self, arguments: String) -> Result<String, OddError> {
        match arguments.len() as u64 {
            0 => Err(OddError::Plain),
            size @ 9.. => Err(OddError::Long {
                r#type: "text".to_owned(),
                size,
            }),
            _ => Ok(arguments),
        }
    }

    async fn action(&self, incoming: u64, cx: &Context) -> Result<(), OddError> {
        let is_named = cx.action() == "odd.action";
        if is_named && incoming == 7 {
            Ok(())
        } else {
            Err(OddError::Plain)
        }
    }

    async fn track(&self, _: String) {}

    async fn nested(&self, cx: &Context) -> Option<Vec<S>> {
        (cx.action() == "odd.nested").then(|| vec![S(1), S(2)])
    }

    async fn camelCase(&self, user: u64, clip: u64) -> u64 {
        user * clip
    }
}

async fn client() -> (OddClient, Connection) {
    let (near, far) = pair(Router::new(), OddServer::new(Store))
        .await
        .expect("two ends in memory");
    (OddClient::new(near), far)
}

#[tokio::test]
async fn actions_behind_a_missing_one_reach_their_methods() {
    let (client, _server) = client().await;
    assert_eq!(client.r#move(1, S(2)).await.expect("a reply"), S(3));
    assert_eq!(client.body(1, 2, 3).await.expect("a reply"), (1, 2, 3));
    assert_eq!(client.default("hi".into()).await.expect("a reply"), "hi!");
    assert_eq!(
        client.nested().await.expect("a reply"),
        Some(vec![S(1), S(2)])
    );
    assert_eq!(client.camelCase(6, 7).await.expect("a reply"), 42);
    client.action(7).await.expect("accepted");
    client.track("seen".into()).await.expect("written");
}

#[tokio::test]
async fn errors_come_back_as_they_are() {
    let (client, _server) = client().await;
    let long = OddError::Long {
        r#type: "text".into(),
        size: 9,
    };
    assert_eq!(long.to_string(), "It was {this} long");
    assert_eq!(service_error(client.echo("ninebytes".into()).await), long);
    assert_eq!(
        service_error(client.echo(String::new()).await),
        OddError::Plain
    );
    assert_eq!(service_error(client.action(8).await), OddError::Plain);
}

#[test]
fn names_on_the_wire_are_those_of_the_attributes() {
    let server = OddServer::new(Store);
    assert_eq!(
        server
            .description()
            .actions
            .iter()
            .map(|action| &*action.name)
            .collect::<Vec<_>>(),
        [
            "odd.move",
            "odd.body",
            "odd.Echo Some Text",
            "odd.action",
            "odd.default",
            "odd.track",
            "odd.nested",
            "odd.camelCase",
        ]
    );
    assert_eq!(OddDraft::echo("hi".into()).action(), "odd.Echo Some Text");
}

#[tokio::test]
async fn parameters_travel_under_their_names_without_r() {
    let (client, _server) = client().await;
    let parameters = serde_json::json!({"service": 2, "type": 1});
    assert_eq!(
        call_move(&client, &parameters).await.expect("a reply"),
        S(3)
    );
}

#[tokio::test]
async fn parameters_of_other_types_are_a_bad_request() {
    let (client, _server) = client().await;
    let refused = call_move(&client, &"text".to_owned())
        .await
        .expect_err("a code");
    assert!(matches!(
        refused,
        CallError::Refused {
            code: FastReply::BAD_REQUEST,
            ..
        }
    ));
}

async fn call_move(
    client: &OddClient,
    parameters: &impl sockety::message::Payload,
) -> Result<S, CallError<NoError>> {
    use sockety::__private::{Content, call, call_draft, payload};

    let content = Content::new().payload(payload(), parameters);
    let draft = call_draft("odd.move", content, |received| received.payload(payload()));
    call(client.connection(), draft).await
}

fn service_error<T: std::fmt::Debug>(reply: Result<T, CallError<OddError>>) -> OddError {
    reply
        .expect_err("an error")
        .into_service()
        .expect("an error of the service")
}
