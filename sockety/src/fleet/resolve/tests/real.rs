//! The resolver hickory against a name server on a UDP socket.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::{Message, ResponseCode},
        rr::{Name, RData, Record, RecordType, rdata},
    },
};
use tokio::net::UdpSocket;

use super::*;
use crate::fleet::resolve::hickory::{Addresses, Configure, Services};
use crate::{
    Server,
    fleet::{Discover, Fleet},
    serve::MessageHandler,
};

/// Answers questions with records of a zone until it is dropped.
struct NameServer {
    address: SocketAddr,
    questions: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let questions = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&questions);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                counted.fetch_add(1, Ordering::SeqCst);
                let question = Message::from_vec(&buffer[..len]).expect("a question");
                let reply = reply(&question).to_vec().expect("a reply");
                socket.send_to(&reply, from).await.expect("sent");
            }
        });
        Self {
            address,
            questions,
            task,
        }
    }

    fn configure(&self) -> Configure {
        let address = self.address;
        Box::new(move || {
            let mut udp = ConnectionConfig::new(ProtocolConfig::Udp);
            udp.port = address.port();
            let server = NameServerConfig::new(address.ip(), true, vec![udp]);
            let config = ResolverConfig::from_name_servers(vec![server]);
            let provider = TokioRuntimeProvider::default();
            Ok(TokioResolver::builder_with_config(config, provider))
        })
    }
}

fn reply(question: &Message) -> Message {
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    let query = question.queries[0].clone();
    let (name, kind) = (query.name().to_lowercase().to_ascii(), query.query_type());
    let record = |ttl, data| Record::from_rdata(query.name().clone(), ttl, data);
    let srv = |priority, weight, target: &str| {
        // Spaces are allowed in labels.
        let labels = target.split('.').filter(|it| !it.is_empty());
        let target = Name::from_labels(labels.map(str::as_bytes)).expect("a name");
        RData::SRV(rdata::SRV::new(priority, weight, 9_000, target))
    };
    let answers = match (&*name, kind) {
        ("bank.example.", RecordType::A) => vec![
            record(2_000, RData::A(rdata::A(Ipv4Addr::new(10, 0, 0, 2)))),
            record(1_000, RData::A(rdata::A(Ipv4Addr::new(10, 0, 0, 1)))),
        ],
        ("bank.example.", RecordType::AAAA) => {
            vec![record(3_000, RData::AAAA(rdata::AAAA(Ipv6Addr::LOCALHOST)))]
        }
        ("local.example.", RecordType::A) => {
            vec![record(1_000, RData::A(rdata::A(Ipv4Addr::LOCALHOST)))]
        }
        ("_bank._tcp.example.", RecordType::SRV) => vec![
            record(1_500, srv(10, 0, "A.Bank.example.")),
            record(1_500, srv(10, 60, "b.bank.example.")),
            record(1_500, srv(20, 5, "c.bank.example.")),
        ],
        ("_odd._tcp.example.", RecordType::SRV) => vec![
            record(1_500, srv(1, 1, "a b.example.")),
            record(1_500, srv(1, 1, "a.example.")),
        ],
        ("_none._tcp.example.", RecordType::SRV) => vec![record(1_500, srv(0, 0, "."))],
        _ => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            vec![]
        }
    };
    reply.add_query(query.clone());
    reply.add_answers(answers);
    reply
}

fn sorted(answer: &Answer) -> Vec<(String, u16, u32, Option<&str>)> {
    let mut all: Vec<_> = answer
        .servers
        .iter()
        .map(|Found { priority, endpoint }| {
            let key = endpoint.key().to_string();
            (key, *priority, endpoint.weight(), endpoint.tls_name())
        })
        .collect();
    all.sort();
    all
}

/// The TTL that is left, in steps of 500 s: lookups take less.
fn ttl(answer: &Answer) -> u64 {
    answer.ttl.as_secs().div_ceil(500) * 500
}

#[tokio::test]
async fn addresses_of_both_kinds_with_the_least_ttl() {
    let server = NameServer::start().await;
    let mut addresses = Addresses::with(server.configure(), "bank.example.", 9_000);
    let answer = addresses.resolve().await.expect("an answer");
    let name = Some("bank.example");
    assert_eq!(
        sorted(&answer),
        [
            ("10.0.0.1:9000".to_owned(), 0, 1, name),
            ("10.0.0.2:9000".to_owned(), 0, 1, name),
            ("[::1]:9000".to_owned(), 0, 1, name),
        ]
    );
    assert_eq!(ttl(&answer), 1_000);
    assert!(answer.skipped.is_none());
    let address: IpAddr = Ipv4Addr::new(10, 0, 0, 1).into();
    let endpoint = Endpoint::new((address, 9_000)).expect("an address");
    assert!(
        answer
            .servers
            .iter()
            .any(|it| it.endpoint.address() == endpoint.address())
    );

    // Nothing is cached here: each time, the server is asked.
    let before = server.questions.load(Ordering::SeqCst);
    addresses.resolve().await.expect("an answer");
    assert_eq!(server.questions.load(Ordering::SeqCst), before + 2);
}

#[tokio::test]
async fn servers_of_srv_records() {
    let server = NameServer::start().await;
    let mut services = Services::with(server.configure(), "_bank._tcp.example");
    let answer = services.resolve().await.expect("an answer");
    assert_eq!(
        sorted(&answer),
        [
            ("a.bank.example:9000".to_owned(), 10, 0, None),
            ("b.bank.example:9000".to_owned(), 10, 60, None),
            ("c.bank.example:9000".to_owned(), 20, 5, None),
        ]
    );
    assert_eq!(ttl(&answer), 1_500);
}

#[tokio::test]
async fn targets_that_are_no_names() {
    let server = NameServer::start().await;
    let mut services = Services::with(server.configure(), "_odd._tcp.example");
    let answer = services.resolve().await.expect("an answer");
    assert_eq!(answer.servers.len(), 1);
    let skipped = answer.skipped.expect("one is skipped").to_string();
    assert!(skipped.contains("b.example"), "{skipped}");

    // The root: there is no such service.
    let mut services = Services::with(server.configure(), "_none._tcp.example");
    let answer = services.resolve().await.expect("an answer");
    assert!(answer.servers.is_empty() && answer.skipped.is_none());
}

#[tokio::test]
async fn names_that_do_not_exist() {
    let server = NameServer::start().await;
    let resolved = Addresses::with(server.configure(), "other.example.", 1)
        .resolve()
        .await;
    resolved.expect_err("no such name");
    let mut changes = changes(
        "srv://_other._tcp.example".into(),
        Services::with(server.configure(), "_other._tcp.example"),
        None,
    );
    let error = changes.next().await.expect("it does not end");
    let error = error.expect_err("no such name");
    let text = crate::error::chain(&error).to_string();
    let begins = "cannot look up the servers of srv://_other._tcp.example: ";
    assert!(
        text.starts_with(begins) && text.len() > begins.len(),
        "{text}"
    );
}

#[tokio::test]
async fn fleet_finds_its_server_by_name() {
    struct Named(Addresses);

    impl Discover for Named {
        fn changes(self) -> Changes {
            changes("dns://local.example".into(), self.0, None)
        }
    }

    let names = NameServer::start().await;
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().expect("bound");
    tokio::spawn(server.serve(MessageHandler::new()));
    let addresses = Addresses::with(names.configure(), "local.example", address.port());
    let fleet: Fleet = Fleet::of(Named(addresses)).await.expect("a fleet");
    let endpoints = fleet.endpoints();
    assert_eq!(endpoints.len(), 1);
    let endpoint = &endpoints[0].endpoint;
    assert_eq!(&**endpoint.key(), address.to_string());
    assert_eq!(endpoint.tls_name(), Some("local.example"));
}
