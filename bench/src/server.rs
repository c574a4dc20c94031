use tokio::net::TcpSocket;

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
        let runtime = self.plan.runtime.unwrap_or(C::ABOUT.runtime).build()?;
        let identity = Identity::generate()?;
        let (tls, directory) = (self.plan.case.tls, self.plan.stored());
        runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(([127, 0, 0, 1], 0).into())?;
            let listener = socket.listen(4096)?;
            control::answer(&Hello {
                address: listener.local_addr()?,
                certificate: identity.certificate.clone(),
            })?;
            let serving = Serving {
                listener,
                tls,
                identity,
                directory,
            };
            // As a task, it runs on the worker and not on the thread that waits for it.
            tokio::spawn(C::serve(serving)).await?
        })
    }
}
