use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

use crate::{
    Result,
    contender::{Contender, Serving},
    contenders::{self, Visit},
    control::{self, Hello},
    plan::Plan,
    process,
    tls::{self, Identity},
};

/// The serving process.
pub fn run(plan: &Plan) -> Result<()> {
    process::place(plan.placement)?;
    process::raise_file_limit()?;
    tls::install()?;
    contenders::with(&plan.contender, Serve { plan })
}

struct Serve<'a> {
    plan: &'a Plan,
}

impl Visit for Serve<'_> {
    type Output = Result<()>;

    fn visit<C: Contender>(self) -> Result<()> {
        let runtime = self.plan.server_runtime(C::ABOUT.runtime)?;
        let identity = Identity::generate()?;
        let (tls, directory) = (self.plan.case.tls, self.plan.stored());
        runtime.block_on(async {
            let servers = 0..self.plan.case.servers;
            let listeners: Vec<_> = servers.map(|_| listen()).collect::<Result<_>>()?;
            let addresses: std::io::Result<_> =
                listeners.iter().map(TcpListener::local_addr).collect();
            control::answer(&Hello {
                addresses: addresses?,
                certificate: identity.certificate.clone(),
            })?;
            // As tasks, they run on the workers and not on the thread that waits for them.
            let mut servers = JoinSet::new();
            for listener in listeners {
                servers.spawn(C::serve(Serving {
                    listener,
                    tls,
                    identity: identity.clone(),
                    directory: directory.clone(),
                }));
            }
            match servers.join_next().await {
                Some(ended) => ended?,
                None => Err("no server".into()),
            }
        })
    }
}

fn listen() -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    Ok(socket.listen(4096)?)
}
