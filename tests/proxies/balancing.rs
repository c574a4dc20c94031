//! Several servers behind one proxy.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use sockety::{Server, error::chain};
use tokio::time::{sleep, timeout};

use crate::{
    CHECK, PATIENCE, Running, WorkClient, connect,
    programs::{Proxy, free_port},
    until,
};

const BALANCE: &str = "balance roundrobin
    option redispatch 1
    retries 3";

#[tokio::test]
#[ignore = "needs haproxy"]
async fn a_rolling_restart_behind_haproxy_fails_no_call() {
    let mut servers = [Running::start().await, Running::start().await];
    let lines = servers.each_ref().map(|server| {
        let port = server.port;
        format!("server s{port} 127.0.0.1:{port} check inter 100ms fall 2 rise 1\n")
    });
    let proxy = Proxy::haproxy_to("", &lines.join("    "), &format!("{BALANCE}\n    {CHECK}"));
    let (is_over, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let client = WorkClient::reconnecting(proxy.address());
            let (is_over, answered) = (Arc::clone(&is_over), Arc::clone(&answered));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let call = client.wait(5).await;
                    call.map_err(|error| chain(&error).to_string())?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    for restart in 0..4 {
        sleep(Duration::from_secs(1)).await;
        let server = &mut servers[restart % 2];
        let port = server.port;
        server.handle.shutdown(Duration::from_secs(10)).await;
        (&mut server.serving).await.expect("no panic");
        *server = Running::start_on(port, None).await;
    }
    sleep(Duration::from_secs(1)).await;
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert_eq!(caller.await.expect("no panic"), Ok(()));
    }
    assert!(answered.load(Ordering::Relaxed) > 100);
}

/// What the guide says about the age of connections.
#[tokio::test]
#[ignore = "needs haproxy"]
async fn clients_get_to_a_server_that_is_started_later_and_no_call_fails() {
    let aging = async |port: u16| {
        let server = Server::bind(("127.0.0.1", port)).await.expect("a port");
        Running::of(server.max_connection_age(Duration::from_secs(1), PATIENCE))
    };
    let ports = [free_port(), free_port()];
    let _first = aging(ports[0]).await;
    let lines = ports
        .map(|port| format!("server s{port} 127.0.0.1:{port} check inter 100ms fall 2 rise 1\n"));
    let proxy = Proxy::haproxy_to("", &lines.join("    "), &format!("{BALANCE}\n    {CHECK}"));
    let is_over = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let callers: Vec<_> = (0..4)
        .map(|number| {
            let client = WorkClient::reconnecting(proxy.address());
            let (is_over, seen) = (Arc::clone(&is_over), Arc::clone(&seen));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let port = client.port().await;
                    let port = port.map_err(|error| chain(&error).to_string())?;
                    seen.lock().expect("no panic").insert((port, number));
                    sleep(Duration::from_millis(5)).await;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    let count = |port: u16| {
        let seen = seen.lock().expect("no panic");
        seen.iter().filter(|it| it.0 == port).count()
    };
    until("all are there", || count(ports[0]) == 4).await;
    assert_eq!(count(ports[1]), 0);
    let _second = aging(ports[1]).await;
    until("clients of the second", || count(ports[1]) >= 2).await;
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert_eq!(caller.await.expect("no panic"), Ok(()));
    }
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn a_server_that_is_down_is_not_noticed() {
    let server = Running::start().await;
    let upstream = format!(
        "server 127.0.0.1:{}; server 127.0.0.1:{};",
        free_port(),
        server.port
    );
    let proxy = Proxy::nginx("proxy_connect_timeout 2s;", &upstream);
    for number in 0..6 {
        let client = connect(&proxy).await;
        assert_eq!(client.quick(number).await.expect("answered"), number);
    }
}

/// An address that takes no connections and does not say so: its queue is full.
struct Silent {
    _listener: Socket,
    _queued: Vec<TcpStream>,
    port: u16,
}

impl Silent {
    fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        listener.bind(&any.into()).expect("bound");
        listener.listen(0).expect("listens");
        let address = listener
            .local_addr()
            .expect("bound")
            .as_socket()
            .expect("IP");
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let queued = std::iter::from_fn(|| connect().ok()).collect();
        Self {
            _listener: listener,
            _queued: queued,
            port: address.port(),
        }
    }
}

#[tokio::test]
#[ignore = "needs nginx"]
async fn a_silent_server_costs_the_timeout_of_the_proxy_and_no_call() {
    let (server, silent) = (Running::start().await, Silent::new());
    let upstream = format!(
        "server 127.0.0.1:{}; server 127.0.0.1:{};",
        silent.port, server.port
    );
    let proxy = Proxy::nginx("proxy_connect_timeout 2s;", &upstream);
    for number in 0..4 {
        let client = connect(&proxy).await;
        assert_eq!(client.quick(number).await.expect("answered"), number);
    }
}

#[tokio::test]
#[ignore = "needs haproxy and nginx"]
async fn the_configurations_of_the_guide_balance_two_servers() {
    for (section, program) in [("HAProxy", "haproxy"), ("nginx", "nginx")] {
        let servers = [Running::start().await, Running::start().await];
        let ports = servers.each_ref().map(|server| server.port);
        let proxy = Proxy::of_the_guide(section, program, ports);
        let seen = async {
            let mut seen = BTreeSet::new();
            while seen.len() < servers.len() {
                let client = connect(&proxy).await;
                seen.insert(client.port().await.expect("answered"));
            }
        };
        timeout(PATIENCE, seen).await.expect("both have clients");
        for server in &servers {
            let stats = server.stats();
            assert_eq!(stats.failed_handshakes, 0, "{program}: {stats:?}");
        }
    }
}
