//! A call that goes through three services: its deadline shrinks from hop to hop, all hops belong to
//! one trace, and when the first caller gives up, the handlers of all three end.
//!
//! ```text
//! customer ── order ──▶ shop ── reserve ──▶ stock ── pick ──▶ warehouse
//! ```
//!
//! No service passes a deadline or a trace on: the connections do, because they use the extension of
//! the protocol, as they do by default. The spans are logged to standard error.
//!
//! All run in one process, but communicate over TCP.

use std::{error::Error, io, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
use sockety::{
    CallError, Context, Server,
    client::ServiceClient,
    error::chain,
    serve::IntoRouter,
    server::ServerHandle,
    service,
    trace::{CallSpans, ServeSpans},
};
use tokio::{sync::mpsc, time::sleep};

#[service(prefix = "shop.")]
trait Shop {
    async fn order(&self, cx: &Context, item: String) -> Vec<Hop>;
}

#[service(prefix = "stock.")]
trait Stock {
    async fn reserve(&self, cx: &Context, item: String) -> Vec<Hop>;
}

#[service(prefix = "warehouse.")]
trait Warehouse {
    async fn pick(&self, cx: &Context, item: String) -> Vec<Hop>;
}

/// What a handler knows of its message.
#[derive(Debug, Serialize, Deserialize)]
struct Hop {
    service: String,
    left: Option<Duration>,
    trace: Option<String>,
}

/// A handler at work. Those that end before their work is done say so.
struct Work {
    service: &'static str,
    is_done: bool,
    events: mpsc::UnboundedSender<String>,
}

/// What all handlers of a service have in common.
#[derive(Clone)]
struct Desk {
    service: &'static str,
    takes: Duration,
    events: mpsc::UnboundedSender<String>,
}

impl Desk {
    /// Begins to work on a message, which takes a while.
    async fn work(&self, cx: &Context) -> (Work, Hop) {
        let work = Work {
            service: self.service,
            is_done: false,
            events: self.events.clone(),
        };
        let left = cx.deadline();
        tracing::info!(?left, "working");
        let _ = self.events.send(format!("{} works", self.service));
        sleep(self.takes).await;
        let hop = Hop {
            service: self.service.to_owned(),
            left,
            trace: cx.trace().map(|trace| hex(&trace.trace_id)),
        };
        (work, hop)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = self.events.send(format!("{} was ended", self.service));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct ShopDesk(Desk, StockClient);
struct StockDesk(Desk, WarehouseClient);
struct WarehouseDesk(Desk);

impl Shop for ShopDesk {
    async fn order(&self, cx: &Context, item: String) -> Vec<Hop> {
        let (mut work, hop) = self.0.work(cx).await;
        // It has no more time than this handler, and is ended with it.
        let below = self.1.reserve(item).await;
        work.is_done = true;
        with_those_below(hop, below)
    }
}

impl Stock for StockDesk {
    async fn reserve(&self, cx: &Context, item: String) -> Vec<Hop> {
        let (mut work, hop) = self.0.work(cx).await;
        let below = self.1.pick(item).await;
        work.is_done = true;
        with_those_below(hop, below)
    }
}

impl Warehouse for WarehouseDesk {
    async fn pick(&self, cx: &Context, _item: String) -> Vec<Hop> {
        let (mut work, hop) = self.0.work(cx).await;
        work.is_done = true;
        vec![hop]
    }
}

fn with_those_below<E>(hop: Hop, below: Result<Vec<Hop>, CallError<E>>) -> Vec<Hop> {
    let mut hops = vec![hop];
    hops.extend(below.unwrap_or_default());
    hops
}

async fn serve(service: impl IntoRouter) -> Result<(SocketAddr, ServerHandle), Box<dyn Error>> {
    let server = Server::bind("127.0.0.1:0").await?;
    let (address, handle) = (server.local_addr()?, server.handle());
    tokio::spawn(server.serve(service.into_router().layer(ServeSpans::new())));
    Ok((address, handle))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    log.with_ansi(false).init();

    let (events, mut said) = mpsc::unbounded_channel();
    let desk = |service, takes| Desk {
        service,
        takes: Duration::from_millis(takes),
        events: events.clone(),
    };
    let (address, warehouse) = serve(WarehouseServer::new(WarehouseDesk(desk(
        "warehouse",
        2_000,
    ))))
    .await?;
    let client = WarehouseClient::connect(address).await?;
    let desk_of_stock = StockDesk(desk("stock", 100), client.layer(CallSpans::new()));
    let (address, stock) = serve(StockServer::new(desk_of_stock)).await?;
    let client = StockClient::connect(address).await?;
    let desk_of_shop = ShopDesk(desk("shop", 100), client.layer(CallSpans::new()));
    let (address, shop) = serve(ShopServer::new(desk_of_shop)).await?;
    let client = ShopClient::connect(address).await?;
    let customer = client.layer(CallSpans::new());

    println!("an order with 5 s:");
    for hop in customer
        .order("lamp".into())
        .timeout(Duration::from_secs(5))
        .await?
    {
        let (left, trace) = (hop.left.unwrap_or_default(), hop.trace.unwrap_or_default());
        println!(
            "  {}: {} ms left, trace {trace}",
            hop.service,
            left.as_millis()
        );
    }
    while said.try_recv().is_ok() {}

    println!("an order that its customer gives up:");
    let order = tokio::spawn(customer.order("chair".into()).into_future());
    show(&mut said, 3).await;
    // Dropping a call cancels it; so does aborting the task that waits for it.
    order.abort();
    show(&mut said, 3).await;

    println!("an order with 1 s:");
    let order = customer.order("table".into());
    let error = order.timeout(Duration::from_secs(1)).await;
    let error = error.expect_err("there is too little time");
    println!("  customer: {}", chain(&error));
    show(&mut said, 6).await;

    for server in [shop, stock, warehouse] {
        server.shutdown(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Prints the next events of handlers.
async fn show(said: &mut mpsc::UnboundedReceiver<String>, count: usize) {
    for _ in 0..count {
        let event = said.recv().await.expect("services are there");
        println!("  {event}");
    }
}
