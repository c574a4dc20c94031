mod capnp;
mod jsonrpsee;
mod limit_bulk;
mod limit_mux;
mod limit_raw;
mod memcpy;
mod protobuf;
mod remoc;
mod sockety_dyn;
mod sockety_fleet;
mod sockety_typed;
mod tarpc;
mod tonic;
mod ttrpc;

use crate::{
    Result,
    contender::{About, Contender},
};

/// Something to be done with a contender that is known by its name.
pub trait Visit {
    type Output;

    fn visit<C: Contender>(self) -> Self::Output;
}

macro_rules! contenders {
    ($($contender:ty),* $(,)?) => {
        /// In the order of the table.
        pub const ALL: &[About] = &[$(<$contender>::ABOUT),*];

        pub fn with<T, V: Visit<Output = Result<T>>>(name: &str, visit: V) -> Result<T> {
            $(if name == <$contender>::ABOUT.name {
                return visit.visit::<$contender>();
            })*
            Err(format!("there is no contender {name:?}").into())
        }
    };
}

contenders![
    limit_raw::LimitRaw,
    limit_mux::LimitMux,
    limit_bulk::LimitBulk<{ 64 * 1024 }>,
    limit_bulk::LimitBulk<{ 1024 * 1024 }>,
    limit_bulk::Copy,
    memcpy::Memcpy,
    sockety_typed::Sockety,
    sockety_typed::SocketyBase,
    sockety_typed::SocketyRead,
    sockety_dyn::SocketyDyn,
    sockety_fleet::SocketyFleet,
    sockety_fleet::SocketySpread,
    tarpc::Tarpc<tarpc::Bincode>,
    tarpc::Tarpc<tarpc::Msgpack>,
    tarpc::TarpcBalance,
    tonic::Tonic,
    tonic::TonicStream,
    tonic::TonicBalance,
    ttrpc::Ttrpc,
    capnp::Capnp,
    remoc::Remoc,
    jsonrpsee::Jsonrpsee,
];
