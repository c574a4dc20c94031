use crate::{
    Result,
    baseline::Baseline,
    surroundings::{self, TARGET},
    tool::{INSTRUCTIONS, Tool},
    workload::{GUARDED, Link, Workload},
};

/// What a figure may grow, in percent; one that shrinks by as much is worth a new baseline.
const TOLERATED: f64 = 10.0;

const UPDATE: &str =
    "`cargo run --profile bench -p sockety-costs -- --update` writes the baseline anew";

/// Prints each figure next to that of the baseline.
///
/// # Errors
///
/// A figure has grown by more than 10 %, or is not in the baseline.
pub(crate) fn check() -> Result<()> {
    let baseline = Baseline::read()?;
    let differences = differences(&baseline)?;
    for (name, before, now) in &differences {
        println!("The baseline was counted with {name} {before:?}, and this is with {now:?}.");
    }
    if differences.iter().any(|(name, ..)| *name == TARGET) {
        println!("SKIPPED: instructions of different targets cannot be compared.");
        return Ok(());
    }
    line("instructions", "baseline", "now", "change");
    let (mut worse, mut better) = (0, 0);
    for workload in GUARDED {
        let now = instructions(workload)?;
        let change = baseline.count(workload.name).map(|before| {
            let change = (now / before - 1.0) * 100.0;
            (before, change)
        });
        match change {
            Some((before, change)) => {
                worse += u32::from(change > TOLERATED);
                better += u32::from(change < -TOLERATED);
                let change = format!("{change:+.1} %");
                line(
                    workload.name,
                    &format!("{before:.0}"),
                    &format!("{now:.0}"),
                    &change,
                );
            }
            None => {
                worse += 1;
                line(workload.name, "none", &format!("{now:.0}"), "");
            }
        }
    }
    if better > 0 {
        println!("{better} cost over {TOLERATED} % less; {UPDATE}, so that it stays so.");
    }
    let elsewhere = match differences[..] {
        [] => "",
        _ => " The baseline was counted elsewhere, as said above, which may be all of it.",
    };
    match worse {
        0 => Ok(()),
        _ => Err(format!(
            "{worse} cost over {TOLERATED} % more, or have no baseline.{elsewhere} If that is meant, {UPDATE}."
        )
        .into()),
    }
}

/// Counts, and writes what the next check compares with.
pub(crate) fn update() -> Result<()> {
    let mut counts = Vec::new();
    for workload in GUARDED {
        counts.push((workload.name, instructions(workload)?));
    }
    let baseline = Baseline::new(surroundings::these()?, &counts);
    baseline.write()?;
    print!("{baseline}");
    Ok(())
}

fn instructions(workload: &Workload) -> Result<f64> {
    Ok(Tool::Callgrind.measure(workload, Link::Memory)?[INSTRUCTIONS])
}

/// What counts depend on and is not as it was: its name, then, now.
fn differences(baseline: &Baseline) -> Result<Vec<(&'static str, String, String)>> {
    let surroundings = surroundings::these()?.into_iter();
    let compared = surroundings.map(|(name, now)| (name, baseline.text(name).to_owned(), now));
    Ok(compared.filter(|(_, before, now)| before != now).collect())
}

fn line(name: &str, before: &str, now: &str, change: &str) {
    println!("{name:34} {before:>10} {now:>10} {change:>10}");
}
