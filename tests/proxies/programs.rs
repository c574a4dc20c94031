//! The programs, each with its own folder and ports.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// Where nginx finds its module for TCP, on Debian.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A proxy that runs. Dropping this ends it.
pub(crate) struct Proxy {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Proxy {
    /// HAProxy between `port` and one server: `bind` and `server` are options of these lines, and
    /// `options` further ones.
    pub(crate) fn haproxy(server: u16, bind: &str, to_server: &str, options: &str) -> Self {
        let servers = format!("server one 127.0.0.1:{server} {to_server}");
        Self::haproxy_to(bind, &servers, options)
    }

    /// HAProxy with these lines for servers.
    pub(crate) fn haproxy_to(bind: &str, servers: &str, options: &str) -> Self {
        let port = free_port();
        Self::haproxy_of(&haproxy(port, bind, servers, options), port)
    }

    /// HAProxy in front of one server, with a line of the global section.
    pub(crate) fn haproxy_global(global: &str, server: u16) -> Self {
        let servers = format!("server one 127.0.0.1:{server}");
        Self::haproxy_sections(global, &servers, "", "")
    }

    /// HAProxy with a line of the global section, and further sections: `to` are lines of the
    /// listener, such as those for servers.
    pub(crate) fn haproxy_sections(global: &str, to: &str, options: &str, sections: &str) -> Self {
        let port = free_port();
        let config = haproxy(port, "", to, options);
        let config = format!("global\n    {global}\n{config}\n{sections}\n");
        Self::haproxy_of(&config, port)
    }

    /// HAProxy with this configuration, which listens on `port`.
    fn haproxy_of(config: &str, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, config).expect("written");
        let child = started("haproxy", &["-db", "-f"], &path, &[]);
        Self::listening(child, port, folder)
    }

    /// nginx: `server` are lines of the block of its server, `upstream` those of its upstream.
    pub(crate) fn nginx(server: &str, upstream: &str) -> Self {
        Self::nginx_with("", "", server, upstream)
    }

    /// The same with a line of the main block.
    pub(crate) fn nginx_main(main: &str, upstream: &str) -> Self {
        Self::nginx_with(main, "", "", upstream)
    }

    /// The same with TLS towards clients.
    pub(crate) fn nginx_tls(server: &str, upstream: &str) -> Self {
        Self::nginx_with("", "ssl", server, upstream)
    }

    /// nginx that passes TLS through, and selects the server by the name in it: `servers` are
    /// lines of a `map`.
    pub(crate) fn nginx_by_name(servers: &str) -> Self {
        let port = free_port();
        let config = format!(
            "events {{}}
stream {{
    map $ssl_preread_server_name $server {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        ssl_preread on;
        proxy_pass $server;
    }}
}}
"
        );
        Self::nginx_of(&config, port)
    }

    fn nginx_with(main: &str, listen: &str, server: &str, upstream: &str) -> Self {
        let port = free_port();
        let config = format!(
            "{main}
events {{}}
stream {{
    upstream servers {{ {upstream} }}
    server {{
        listen 127.0.0.1:{port} {listen};
        proxy_pass servers;
        {server}
    }}
}}
"
        );
        Self::nginx_of(&config, port)
    }

    /// nginx with this configuration, which listens on `port`.
    fn nginx_of(config: &str, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nginx.conf");
        let place = folder.path().display();
        let around = format!(
            "load_module {MODULE};\ndaemon off;\nuser root;\npid {place}/pid;\nerror_log {place}/errors;\n"
        );
        fs::write(&path, around + config).expect("written");
        let child = started("nginx", &["-p", &place.to_string(), "-c"], &path, &[]);
        Self::listening(child, port, folder)
    }

    /// A program with the configuration that a section of the guide has for it, in front of two
    /// servers.
    pub(crate) fn of_the_guide(section: &str, program: &str, servers: [u16; 2]) -> Self {
        let guide = include_str!("../../docs/src/behind-a-balancer.md");
        let (_, section) = guide
            .split_once(&format!("\n## {section}\n"))
            .expect("a section");
        let (_, block) = section
            .split_once(&format!("```{program}\n"))
            .expect("a block");
        let (block, _) = block.split_once("```").expect("its end");
        let port = free_port();
        let config = filled(block, port, servers);
        match program {
            "haproxy" => Self::haproxy_of(&config, port),
            _ => Self::nginx_of(&config, port),
        }
    }

    /// stunnel, as a client of TLS or as a server with a certificate.
    pub(crate) fn stunnel(connect: u16, options: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let path = folder.path().join("stunnel.conf");
        let config = format!(
            "foreground = quiet\npid =\n[service]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{connect}\n{options}\n"
        );
        fs::write(&path, config).expect("written");
        let child = started("stunnel", &[], &path, &[]);
        Self::listening(child, port, folder)
    }

    pub(crate) fn socat(connect: u16) -> Self {
        Self::socat_with(connect, &[])
    }

    pub(crate) fn socat_with(connect: u16, options: &[&str]) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr");
        let child = Command::new("socat")
            .args(options)
            .args([listen, format!("TCP:127.0.0.1:{connect}")])
            .spawn()
            .expect("socat is installed");
        Self::listening(child, port, folder)
    }

    /// Waits until it accepts.
    fn listening(mut child: Child, port: u16, folder: TempDir) -> Self {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "the proxy does not start: {ended:?}");
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody listens");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            child,
            port,
            folder,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// nginx reads its configuration again.
    pub(crate) fn reload_nginx(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).expect("it runs");
    }

    /// A new process of HAProxy takes the port over; returns the old one, which only finishes its
    /// connections.
    pub(crate) fn replace_haproxy(&mut self) -> Child {
        let path = self.folder.path().join("haproxy.cfg");
        let old = self.child.id().to_string();
        let new = started("haproxy", &["-db", "-f"], &path, &["-sf", &old]);
        std::mem::replace(&mut self.child, new)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // In order, so that nginx and socat end the processes that they started.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(2) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn haproxy(port: u16, bind: &str, servers: &str, options: &str) -> String {
    format!(
        "defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 10s
listen sockety
    bind 127.0.0.1:{port} {bind}
    {options}
    {servers}
"
    )
}

/// A configuration of the guide with ports of this test, in place of its addresses.
fn filled(template: &str, port: u16, servers: [u16; 2]) -> String {
    let is_inside = |letter: char| letter.is_alphanumeric() || ".:_".contains(letter);
    let mut filled = String::new();
    for piece in template.split_inclusive(|letter| !is_inside(letter)) {
        let word = piece.trim_end_matches(|letter| !is_inside(letter));
        let to = match word {
            "10.0.0.1:9000" => servers[0],
            "10.0.0.2:9000" | "10.0.0.2:443" => servers[1],
            ":9000" | "9000" | ":443" | "443" => port,
            other => {
                let is_known = !["10.0.", "9000", "443"].iter().any(|it| other.contains(it));
                assert!(is_known, "{other} of the guide is no address of a test");
                filled += piece;
                continue;
            }
        };
        filled += &format!("127.0.0.1:{to}{}", &piece[word.len()..]);
    }
    filled
}

#[test]
fn the_ports_of_a_test_may_contain_those_of_the_guide() {
    let template = "bind :443\nlisten 9000;\nserver 10.0.0.1:9000;\nweb 10.0.0.2:443;\n";
    let expected = "bind 127.0.0.1:44385\nlisten 127.0.0.1:44385;\nserver 127.0.0.1:29000;\nweb 127.0.0.1:9000;\n";
    assert_eq!(filled(template, 44385, [29000, 9000]), expected);
}

#[test]
#[should_panic(expected = "10.0.0.3:9000 of the guide is no address of a test")]
fn an_address_of_the_guide_that_no_test_has_is_noticed() {
    filled("server three 10.0.0.3:9000;\n", 1, [2, 3]);
}

fn started(program: &str, before: &[&str], config: &Path, after: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(before).arg(config).args(after);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.stderr(Stdio::null()).spawn();
    child.unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
}

/// A certificate for `localhost`, 127.0.0.1 and two names in the domain `test`, and its key.
pub(crate) struct Certificate {
    folder: TempDir,
    pub(crate) pem: String,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let names = ["localhost", "127.0.0.1", "one.test", "two.test"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).expect("a key");
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        write("cert.pem", &pem);
        write("key.pem", &key);
        // As HAProxy wants it.
        write("both.pem", &format!("{pem}{key}"));
        Self { folder, pem }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}
