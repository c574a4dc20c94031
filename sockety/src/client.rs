//! The calling side: connecting, typed calls, and middleware around calls.

pub(crate) mod call;
pub(crate) mod call_draft;
pub(crate) mod connect;
pub(crate) mod describe;
mod dial;
pub(crate) mod exchange;
pub(crate) mod health;
pub(crate) mod pass;
pub(crate) mod pass_draft;
pub(crate) mod reconnecting;
pub(crate) mod reply;
pub(crate) mod unsent;

#[doc(hidden)]
pub use self::connect::Connected;
pub use self::{
    call::Call, call_draft::CallDraft, connect::Connect, pass::Pass, pass_draft::PassDraft,
    reconnecting::Reconnecting, reply::Replied,
};
pub use crate::address::{
    IntoAddress,
    list::{Addresses, IntoAddresses},
};
pub use crate::connection::{
    call_status::CallStatus,
    middleware::{CallMiddleware, CallNext, CallReply, CallResult},
    outgoing_call::OutgoingCall,
    service_client::ServiceClient,
};
pub use crate::outcome::Cancelled;
