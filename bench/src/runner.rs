use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    Result, comparison,
    contender::{About, Kind},
    contenders,
    measurement::{Measurement, Settings},
    outcome::Outcome,
    payloads::{MIB, large},
    plan::{Placement, Plan, Runtime},
    plots, report,
    results::Results,
    workload::{Case, Workload},
};

#[derive(Args)]
pub struct Arguments {
    /// Only these contenders.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Only these workloads.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "WORKLOADS",
        ignore_case = true
    )]
    workloads: Vec<Workload>,
    /// Where the processes run.
    #[arg(long, value_delimiter = ',', default_values = ["free", "one"])]
    placements: Vec<Placement>,
    /// Short, once, and with less content: to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// How often each is measured; 5, or 1 with --quick.
    #[arg(long)]
    repetitions: Option<usize>,
    /// How long calls are counted each time; 2, or 0.5 with --quick.
    #[arg(long)]
    seconds: Option<f64>,
    /// The runtime of all contenders, instead of the best for each.
    #[arg(long)]
    runtime: Option<Runtime>,
    /// A sentence that is shown with the figures, such as "Other programs ran at the same time."
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where the table and the figures are written.
    #[arg(long, default_value = "target/results")]
    output: PathBuf,
    /// Where files are sent from and stored.
    #[arg(long, default_value = "target/data")]
    data: PathBuf,
    /// The benchmarks of another revision, measured in turns with these: `bench/run --compare REV` builds them.
    #[arg(long, value_name = "PROGRAM", requires = "other_revision")]
    other: Option<PathBuf>,
    /// What that revision is called.
    #[arg(long, value_name = "REV", requires = "other")]
    other_revision: Option<String>,
    /// Says which contenders there are, and measures nothing.
    #[arg(long)]
    list: bool,
}

/// No measurement takes that long.
const GIVE_UP: Duration = Duration::from_secs(180);

pub fn run(arguments: &Arguments) -> Result<()> {
    let contenders = arguments.contenders()?;
    if arguments.list {
        for about in contenders {
            println!("{:16} {:?}", about.name, about.workloads);
        }
        return Ok(());
    }
    let settings = arguments.settings();
    // A folder of its own, as it is removed with all that is in it.
    let data = arguments.data.join("sockety-bench");
    prepare_files(&data, settings.file_bytes)?;
    let this = std::env::current_exe()?;
    let (mut measurements, mut others) = (Vec::new(), Vec::new());
    for repetition in 0..settings.repetitions {
        for &placement in &arguments.placements {
            for case in arguments.cases().filter(|case| case.fits(placement)) {
                for about in in_turn(&contenders, repetition) {
                    if !about.does(&case) {
                        continue;
                    }
                    let plan = settings.plan(about, case, placement, &data);
                    let mut both = vec![(&this, &mut measurements)];
                    if let Some(other) = &arguments.other {
                        both.push((other, &mut others));
                    }
                    if repetition % 2 == 1 {
                        both.reverse();
                    }
                    for (program, measured) in both {
                        measured.push(measure(program, &plan, repetition));
                    }
                }
            }
        }
    }
    fs::remove_dir_all(&data)?;
    let results = Results::new(settings, &contenders, measurements);
    fs::create_dir_all(&arguments.output)?;
    store(&results, &arguments.output.join("figures.json"))?;
    let table = match &arguments.other_revision {
        None => {
            for (workload, plot) in plots::of(&results) {
                fs::write(arguments.output.join(format!("{workload:?}.svg")), plot)?;
            }
            report::markdown(&results)
        }
        Some(revision) => {
            let other = Results {
                revision: revision.clone(),
                measurements: others,
                ..results.clone()
            };
            store(&other, &arguments.output.join("figures-before.json"))?;
            comparison::markdown(&results, &other)
        }
    };
    let name = match arguments.other {
        None => "table.md",
        Some(_) => "comparison.md",
    };
    fs::write(arguments.output.join(name), &table)?;
    println!("{table}");
    eprintln!("written to {}", arguments.output.display());
    Ok(())
}

fn store(results: &Results, path: &Path) -> Result<()> {
    Ok(fs::write(path, serde_json::to_string_pretty(results)?)?)
}

impl Arguments {
    fn contenders(&self) -> Result<Vec<&'static About>> {
        let known = |name: &&String| !contenders::ALL.iter().any(|about| about.name == **name);
        if let Some(unknown) = self.only.iter().find(known) {
            return Err(
                format!("there is no contender {unknown:?}; --list says which there are").into(),
            );
        }
        let chosen = |about: &&About| match self.only.is_empty() {
            // Others are the same in both revisions.
            true => self.other.is_none() || about.kind == Kind::Ours,
            false => self.only.iter().any(|name| name == about.name),
        };
        Ok(contenders::ALL.iter().filter(chosen).collect())
    }

    fn cases(&self) -> impl Iterator<Item = Case> {
        let chosen =
            |workload: &&Workload| self.workloads.is_empty() || self.workloads.contains(workload);
        <Workload as clap::ValueEnum>::value_variants()
            .iter()
            .filter(chosen)
            .flat_map(|workload| workload.cases())
    }

    fn settings(&self) -> Settings {
        let seconds = |quick, full| {
            self.seconds
                .unwrap_or(if self.quick { quick } else { full })
        };
        let mib = |quick: u64, full: u64| MIB as u64 * if self.quick { quick } else { full };
        Settings {
            quick: self.quick,
            repetitions: self.repetitions.unwrap_or(if self.quick { 1 } else { 5 }),
            warm_up: Duration::from_secs_f64(seconds(0.5, 2.0) / 4.0),
            measure: Duration::from_secs_f64(seconds(0.5, 2.0)),
            stream_bytes: mib(256, 2048),
            file_bytes: mib(64, 1024),
            runtime: self.runtime,
            note: self.note.clone(),
        }
    }
}

impl Settings {
    fn plan(&self, about: &About, case: Case, placement: Placement, data: &Path) -> Plan {
        // A round of thousands of connections takes a while.
        let longer = if case.connections >= 1000 { 2 } else { 1 };
        Plan {
            contender: about.name.into(),
            case,
            placement,
            runtime: self.runtime,
            warm_up: self.warm_up * longer,
            measure: self.measure * longer,
            stream_bytes: self.stream_bytes,
            file_bytes: self.file_bytes,
            data: data.to_owned(),
        }
    }
}

/// Each repetition begins with another one.
fn in_turn<T: Copy>(all: &[T], repetition: usize) -> impl Iterator<Item = T> {
    let first = repetition % all.len().max(1);
    all[first..].iter().chain(&all[..first]).copied()
}

fn prepare_files(data: &Path, bytes: u64) -> Result<()> {
    fs::create_dir_all(data.join("stored"))?;
    let block = large(MIB);
    let mut file = fs::File::create(data.join("source"))?;
    for _ in 0..bytes / MIB as u64 {
        std::io::Write::write_all(&mut file, &block)?;
    }
    // So that nothing measured competes with its writing.
    Ok(file.sync_all()?)
}

fn measure(program: &Path, plan: &Plan, repetition: usize) -> Measurement {
    let result = clear(plan).and_then(|()| in_processes(program, plan));
    let result = result.map_err(|error| error.to_string());
    let detail = plan.case.detail();
    let shown = match &result {
        Ok(outcome) => format!("{:.1}", outcome.value),
        Err(error) => error.clone(),
    };
    eprintln!(
        "{} {:?} {:?} {detail} {}: {shown}",
        repetition + 1,
        plan.placement,
        plan.case.workload,
        plan.contender,
    );
    Measurement {
        contender: plan.contender.clone(),
        case: plan.case,
        placement: plan.placement,
        repetition,
        result,
    }
}

/// Nothing that was stored before is in the way, or still being written.
fn clear(plan: &Plan) -> Result<()> {
    if matches!(plan.case.workload, Workload::W9 | Workload::W10) {
        fs::remove_dir_all(plan.stored())?;
        fs::create_dir_all(plan.stored())?;
        rustix::fs::sync();
    }
    Ok(())
}

fn in_processes(program: &Path, plan: &Plan) -> Result<Outcome> {
    let mut client = Command::new(program)
        .args(["client", &serde_json::to_string(plan)?])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let ended = wait(&mut client);
    let mut output = String::new();
    if let Some(mut stdout) = client.stdout.take() {
        stdout.read_to_string(&mut output)?;
    }
    match ended? {
        true => Ok(serde_json::from_str::<Result<Outcome, String>>(&output)??),
        false => Err("ended early".into()),
    }
}

/// Whether it succeeded. One that takes too long is ended, and its server with it.
fn wait(client: &mut Child) -> Result<bool> {
    let give_up = Instant::now() + GIVE_UP;
    loop {
        if let Some(status) = client.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() > give_up {
            client.kill()?;
            client.wait()?;
            return Err("took too long".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
}
