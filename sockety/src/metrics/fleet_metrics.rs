use std::fmt;

use metrics::{Label, counter, describe_counter, describe_gauge, gauge};

use crate::fleet::{EndpointState, Fleet, Watched};

/// Records the servers of a fleet. Call [`record`](Self::record) before each scrape, or every few seconds. The
/// [module](crate::metrics) lists the metrics. It does not keep the fleet open.
///
/// ```
/// use sockety::{fleet::Fleet, metrics::FleetMetrics};
///
/// fn watched<C>(fleet: &Fleet<C>) {
///     let metrics = FleetMetrics::new(fleet);
///     metrics.record();
/// }
/// ```
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(feature = "fleet")))]
pub struct FleetMetrics {
    fleet: Watched,
}

const ENDPOINTS: &str = "sockety.fleet.endpoints";
const CONNECTIONS: &str = "sockety.fleet.connections";
const CONNECTED: &str = "sockety.fleet.connections.made";
const FAILED: &str = "sockety.fleet.connections.failed";
const WAITING: &str = "sockety.fleet.requests.waiting";
const ATTEMPTS: &str = "sockety.fleet.attempts";
const RETRIES: &str = "sockety.fleet.retries";
const RETRIES_LEFT: &str = "sockety.fleet.retries.left";
const OVER_BUDGET: &str = "sockety.fleet.retries.over_budget";
const EJECTIONS: &str = "sockety.fleet.ejections";
const PANIC: &str = "sockety.fleet.panic";
const DISCOVER_ERRORS: &str = "sockety.fleet.discover.errors";

/// All of them, so that a state without servers is recorded as 0.
const STATES: [EndpointState; 7] = [
    EndpointState::Unused,
    EndpointState::Connecting,
    EndpointState::Waiting,
    EndpointState::Ready,
    EndpointState::Ejected,
    EndpointState::NotServing,
    EndpointState::Draining,
];

fn label(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Unused => "unused",
        EndpointState::Connecting => "connecting",
        EndpointState::Waiting => "waiting",
        EndpointState::Ready => "ready",
        EndpointState::Ejected => "ejected",
        EndpointState::NotServing => "not_serving",
        EndpointState::Draining => "draining",
    }
}

impl FleetMetrics {
    /// Creates the metrics of this fleet. Its name is the label `fleet` of all of them.
    pub fn new<C>(fleet: &Fleet<C>) -> Self {
        describe_gauge!(ENDPOINTS, "Servers that are known, by state");
        describe_gauge!(CONNECTIONS, "Connections that are open");
        describe_counter!(CONNECTED, "Connections that were made");
        describe_counter!(FAILED, "Attempts to connect that failed");
        describe_gauge!(WAITING, "Requests that wait for replies");
        describe_counter!(ATTEMPTS, "Attempts of calls that have ended");
        describe_gauge!(
            RETRIES_LEFT,
            "Messages that the budget allows to be sent again"
        );
        describe_counter!(RETRIES, "Messages sent again, by the outcome before");
        describe_counter!(OVER_BUDGET, "Retries for which the budget had nothing left");
        describe_counter!(EJECTIONS, "Ejections of servers");
        describe_gauge!(PANIC, "1 while ejection is ignored, otherwise 0");
        describe_counter!(DISCOVER_ERRORS, "Errors that discovery reported");
        Self {
            fleet: fleet.watched(),
        }
    }

    /// Records the current values. It does not disturb calls.
    pub fn record(&self) {
        let (endpoints, stats) = (self.fleet.endpoints(), self.fleet.stats());
        let fleet = Label::new("fleet", self.fleet.name().to_string());
        let set = |name: &'static str, value: usize| {
            gauge!(name, vec![fleet.clone()]).set(value as f64);
        };
        set(CONNECTIONS, endpoints.iter().map(|it| it.connections).sum());
        set(
            WAITING,
            endpoints.iter().map(|it| it.in_flight as usize).sum(),
        );
        set(
            RETRIES_LEFT,
            usize::try_from(stats.retries_left).unwrap_or(usize::MAX),
        );
        set(PANIC, stats.is_panicking.into());
        for state in STATES {
            let count = endpoints.iter().filter(|it| it.state == state).count();
            let labels = vec![
                fleet.clone(),
                Label::from_static_parts("state", label(state)),
            ];
            gauge!(ENDPOINTS, labels).set(count as f64);
        }
        let count = |name: &'static str, value: u64| {
            counter!(name, vec![fleet.clone()]).absolute(value);
        };
        count(ATTEMPTS, stats.attempts);
        count(CONNECTED, stats.connected);
        count(FAILED, stats.failed_connects);
        count(OVER_BUDGET, stats.over_budget);
        count(EJECTIONS, stats.ejections);
        count(DISCOVER_ERRORS, stats.discover_errors);
        for (outcome, times) in stats.retries.iter() {
            let labels = vec![
                fleet.clone(),
                Label::from_static_parts("sockety.outcome", outcome),
            ];
            counter!(RETRIES, labels).absolute(times);
        }
    }
}

impl fmt::Debug for FleetMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetMetrics")
            .field("fleet", self.fleet.name())
            .finish_non_exhaustive()
    }
}
