use anstyle::{AnsiColor, Style};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum, builder::Styles};
use clap_complete::Shell;

use crate::{
    bench::BenchArgs,
    call::CallArgs,
    check::CheckArgs,
    decode::DecodeArgs,
    describe::DescribeArgs,
    exit::{Exit, Failure},
    fleet::FleetArgs,
    health::HealthArgs,
    listen::ListenArgs,
    out,
    pass::PassArgs,
    ping::PingArgs,
    tap::TapArgs,
    typescript::TypescriptArgs,
};

/// Talks to peers of the Sockety protocol.
#[derive(Debug, Parser)]
#[command(name = "sockety", version, styles = STYLES, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold().underline())
    .usage(Style::new().bold().underline())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for a call: a response, or code 0 (Accept)
  1  the peer answered with another code or an error
  2  invalid arguments
  3  no answer, and nothing ran: safe to repeat
  4  sent, but it is unknown whether it was executed
  5  executed, but the reply or part of it was lost
  6  something failed locally: a file, the output, an address to listen on

Addresses are host:port, tls://host:port and unix://PATH. `sockety help COMMAND` shows options \
and examples.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Call an action and show the reply
    #[command(after_help = CALL_EXAMPLES)]
    Call(CallArgs),
    /// Send a message that expects no reply
    #[command(after_help = PASS_EXAMPLES)]
    Pass(PassArgs),
    /// Serve every action, and show each message as it arrives
    #[command(after_help = LISTEN_EXAMPLES)]
    Listen(ListenArgs),
    /// List the services and actions of a peer
    #[command(after_help = DESCRIBE_EXAMPLES)]
    Describe(DescribeArgs),
    /// Compare two schemas: does a change break peers that have not changed yet?
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Write TypeScript for the services of a peer: types, a client, handlers
    #[command(after_help = TYPESCRIPT_EXAMPLES)]
    Typescript(TypescriptArgs),
    /// Ask a peer whether it is serving: for probes
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(HealthArgs),
    /// Measure round-trip times
    #[command(after_help = PING_EXAMPLES)]
    Ping(PingArgs),
    /// Measure throughput and latency under load
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchArgs),
    /// Connect to many servers as a client does, and list them
    #[command(after_help = FLEET_EXAMPLES)]
    Fleet(FleetArgs),
    /// Proxy clients to a server, and show every packet
    #[command(after_help = TAP_EXAMPLES)]
    Tap(TapArgs),
    /// Show the packets in recorded bytes
    #[command(after_help = DECODE_EXAMPLES)]
    Decode(DecodeArgs),
    /// Print the manual page of the program or of a command
    Man {
        /// The command
        command: Option<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

const CALL_EXAMPLES: &str = "\
Examples:
  sockety call localhost:9000 echo --json '{\"title\": \"clip\", \"seconds\": 12.5}'
  sockety call localhost:9000 upload --file a.mp4 --file b.srt
  sockety call localhost:9000 download --json '[{\"name\": \"a.txt\", \"size\": 100}]' --save inbox
  tar c src | sockety call localhost:9000 stream-sum --stream -
  sockety call localhost:9000 thumbnail --raw clip.mp4 --output raw > clip.png
  sockety call localhost:9000 report --metadata tenant=acme --deadline 2s
  sockety call tls://example.com:9000 whoami --ca servers.pem --cert me.pem --key me.key

The exit code is 0 for a response or code 0, and 1 for another code or an error; \
`sockety --help` lists all of them. Ctrl-C gives the call up, and removes files that are not whole; the exit code is 3 if \
nothing was sent, 4 if there was no reply, and 5 if part of the reply was missing.";

const PASS_EXAMPLES: &str = "\
Examples:
  sockety pass localhost:9000 note --json '\"good morning\"'
  tail -f app.log | sockety pass unix:///run/log.sock lines --stream -

Success means that the message was handed to the operating system, not that it arrived. Ctrl-C \
gives the message up; the exit code is 3 if nothing was sent, otherwise 4.";

const LISTEN_EXAMPLES: &str = "\
Examples:
  sockety listen localhost:9000
  sockety listen localhost:9000 --reply 3 --count 1
  sockety listen unix:///tmp/app.sock --reply-json '{\"ok\": true}' --save inbox --output json
  sockety listen 0.0.0.0:9000 --cert server.pem --key server.key --client-ca clients.pem

A message is shown and answered when all of it has arrived; with code 1 (Reject) if a file could \
not be saved. Ctrl-C stops the server.";

const DESCRIBE_EXAMPLES: &str = "\
Examples:
  sockety describe localhost:9000
  sockety describe localhost:9000 --output json | jq '.[].actions[].name'
  sockety describe localhost:9000 --save bank.sockety.json

A server answers if its router was built with `Router::describe`, and with types and examples of calls if with \
`Router::describe_with`. Otherwise the exit code is 1.";

const TYPESCRIPT_EXAMPLES: &str = "\
Examples:
  sockety typescript localhost:9000 --out src/bank.ts
  sockety typescript localhost:9000 --out src/bank.ts --bigint always

The file needs the package sockety-runtime. Nothing that the peer says becomes code.

Exit codes:
  0  written
  1  refused, the peer has no schema, or a type has no counterpart in TypeScript
  2  invalid arguments
  3  unreachable, or no connection in time
  4  connected, but no answer in time
  6  the file cannot be written";

const CHECK_EXAMPLES: &str = "\
Examples:
  sockety check bank.sockety.json new.sockety.json
  sockety check new.sockety.json --against localhost:9000
  sockety check old.json new.json --allow field.gone:Transfer.text --allow limit

Each change has a verdict: compatible, warning, servers first (renew every server before any client \
uses the change), clients first, or breaking.

Exit codes:
  0  no breaking change, other than those that are allowed
  1  a breaking change, or the peer has no schema
  2  invalid arguments
  3  unreachable, or no connection in time
  4  connected, but no answer in time
  6  something failed locally, such as a file that is no schema";

const HEALTH_EXAMPLES: &str = "\
Examples:
  sockety health localhost:9000
  sockety health unix:///run/app.sock --service Bank --timeout 500ms
  sockety health tls://example.com:9000 --ca servers.pem --output json

Servers answer before a client is authorized, so no --first is needed. A peer that does not know the \
question counts as serving.

Exit codes:
  0  serving
  1  not serving, no such service, or refused
  2  invalid arguments
  3  unreachable, or no connection in time
  4  connected, but no answer in time
  6  something failed locally";

const PING_EXAMPLES: &str = "\
Examples:
  sockety ping localhost:9000 -c 10
  sockety ping tls://example.com:9000 --ca ca.pem -c 100 -i 10ms --output json
  sockety ping localhost:9000 --action ping

The protocol's heartbeats are not answered, so each round trip is a call. Any answer counts: the \
default action is one that no service has, and its answer is code 2 (Not Implemented). Ctrl-C \
stops and prints the summary. The exit code is 4 if an answer was missing.";

const BENCH_EXAMPLES: &str = "\
Examples:
  sockety bench localhost:9000 ping
  sockety bench localhost:9000 echo --json '{\"id\": 7}' -c 64 --connections 4 -d 30s
  sockety bench localhost:9000 echo --raw payload.bin --rate 5000 --output json

The exit code is 0 if all calls were answered with a response or code 0, 1 if some got another \
code, and 4 if some got no reply. Ctrl-C stops and prints what was measured; the exit code is 6.";

const FLEET_EXAMPLES: &str = "\
Examples:
  sockety fleet bank-1:9000,bank-2:9000
  sockety fleet dns://bank.internal:9000
  sockety fleet tls://bank-1:9000,tls://bank-2:9000 --ca ca.pem --once
  sockety fleet bank-1:9000,bank-2:9000 --output json | jq 'select(.state != \"ready\")'

On a terminal the list is renewed each second until Ctrl-C. Latencies are those of the question \
whether a server serves, $sockety.health. The exit code is 0 if a server is ready at the end, \
otherwise 3.";

const TAP_EXAMPLES: &str = "\
Examples:
  sockety tap localhost:9001 localhost:9000
  sockety tap localhost:9001 unix:///run/app.sock --hex
  sockety tap localhost:9001 localhost:9000 --pcap calls.pcap --output json > packets.jsonl
  sockety tap localhost:9001 tls://example.com:9000 --listen-cert tap.pem --listen-key tap.key

→ marks packets from client to server. A packet is shown when its last byte has arrived, with the \
seconds since the start, its channel and its size. All bytes are forwarded unchanged, even those \
that cannot be decoded, which the output reports. Connections are slowed down if the output is \
read slowly. Ctrl-C stops the proxy.

tools/wireshark has a dissector for the captures.";

const DECODE_EXAMPLES: &str = "\
Examples:
  sockety decode client.bin --hex
  xxd -r -p bytes.hex | sockety decode - --output json

The exit code is 1 if the bytes break a rule of the protocol or end inside a packet or message, \
and 6 if Ctrl-C ends it.";

/// When to use colours.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Applies to everything printed from now on.
    pub fn apply(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Prints a manual page, in the form that `man` reads.
pub fn man(name: Option<&str>) -> Result<Exit, Failure> {
    let mut program = Cli::command();
    // It names the commands in full.
    program.build();
    let command = match name {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            found.ok_or_else(|| Failure::usage(format!("no command {name:?}")))?
        }
    };
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::local(error.to_string()))?;
    out::raw(&page)?;
    Ok(Exit::Done)
}

/// Prints a completion script.
pub fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sockety", &mut script);
    out::raw(&script)?;
    Ok(Exit::Done)
}
