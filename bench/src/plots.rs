//! Plots of a run: for each workload an SVG, with throughput as multiples of Sockety's, and latencies.

use std::fmt::{Display, Write};

use crate::{
    contender::Kind,
    figures::{Figures, Quantiles, Row},
    plan::Placement,
    results::Results,
    shown,
    workload::{Case, Workload},
};

/// What others are compared with.
const BASE: &str = "sockety";

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 16.0;
const LINE: f64 = 17.0;
/// Where bars begin, and how long the longest is.
const BARS: f64 = 140.0;
const LONGEST: f64 = 210.0;
/// Where the lines of latencies begin and end.
const LINES: (f64, f64) = (590.0, WIDTH - MARGIN - 20.0);
/// A panel with lines is at least as high.
const LEAST_HEIGHT: f64 = 130.0;

/// The background is part of the picture: a page may have another theme than the system.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1b1f24}\
.bg{fill:#fff}.dim{fill:#59636e}.title{font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}\
.grid{stroke:#d1d9e0}.whisker{stroke:#1b1f24}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bg{fill:#161b22}.dim{fill:#9198a1}.grid{stroke:#3d444d}\
.whisker{stroke:#e6edf3}}";

/// Readable on both backgrounds.
const OURS: &[&str] = &["#1f7ae0", "#6aa9f0", "#8e6fe0", "#12a5b8", "#5f86b8"];
const LIMITS: &[&str] = &["#868c95", "#a9aeb6", "#6c727b"];
const PEERS: &[&str] = &[
    "#e07b1f", "#c9a227", "#b5561a", "#2a9d5c", "#7fb03a", "#d1495b", "#b06ab3", "#a0764b",
    "#e377a8", "#4f9f95",
];

/// Those of workloads for which there are figures, in order.
pub fn of(results: &Results) -> Vec<(Workload, String)> {
    let figures = Figures::new(&results.contenders, &results.measurements);
    let mut workloads: Vec<_> = figures.rows.iter().map(|row| row.case.workload).collect();
    workloads.dedup();
    let plot = |workload| (workload, Plot::of(workload, &figures, results));
    workloads.into_iter().map(plot).collect()
}

struct Plot<'a> {
    results: &'a Results,
    body: String,
    /// Where the next panel begins.
    y: f64,
}

impl<'a> Plot<'a> {
    fn of(workload: Workload, figures: &Figures<'_>, results: &'a Results) -> String {
        let mut plot = Self {
            results,
            body: String::new(),
            y: MARGIN + 6.0,
        };
        let better = match workload.less_is_better() {
            true => "multiples of Sockety's, less is better",
            false => "multiples of Sockety's, more is better",
        };
        let title = format!("{workload:?}: {} ({better})", workload.title());
        plot.text(MARGIN, plot.y, "title", &title);
        plot.y += 12.0;
        let mut panels: Vec<(Case, Placement)> = Vec::new();
        for row in figures
            .rows
            .iter()
            .filter(|row| row.case.workload == workload)
        {
            if panels.last() != Some(&(row.case, row.placement)) {
                panels.push((row.case, row.placement));
            }
        }
        for (case, placement) in panels {
            let rows = figures.rows.iter();
            let rows: Vec<_> = rows
                .filter(|row| row.case == case && row.placement == placement)
                .collect();
            plot.panel(&case, placement, &rows);
        }
        plot.finish()
    }

    fn finish(self) -> String {
        let height = self.y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\
             <style>{STYLE}</style>\n\
             <rect class=\"bg\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n{}</svg>\n",
            self.body
        )
    }

    fn panel(&mut self, case: &Case, placement: Placement, rows: &[&Row]) {
        self.y += LINE + 4.0;
        let where_run = match placement {
            Placement::Free => "on all cores",
            Placement::One => "on one core",
        };
        let detail = case.detail();
        let separator = if detail.is_empty() { "" } else { ", " };
        let title = format!("{detail}{separator}{where_run}");
        self.text(MARGIN, self.y, "dim", &title);
        let top = self.y + 8.0;
        let base = rows.iter().find(|row| row.contender == BASE);
        let Some(base) = base.or(rows.first()) else {
            return;
        };
        self.bars(top, base, rows);
        let mut height = LINE * rows.len() as f64;
        let latencies: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((*row, row.latency?)))
            .collect();
        if !latencies.is_empty() {
            height = height.max(LEAST_HEIGHT);
            self.lines(top, top + height - LINE - 4.0, &latencies);
        }
        self.y = top + height + 6.0;
    }

    fn bars(&mut self, top: f64, base: &Row, rows: &[&Row]) {
        let ratios: Vec<_> = rows
            .iter()
            .map(|row| row.ratio(base, |outcome| Some(outcome.value)))
            .collect();
        let greatest = ratios.iter().flatten().map(|ratio| ratio.most);
        let scale = LONGEST / greatest.fold(f64::MIN_POSITIVE, f64::max);
        for (index, (row, ratio)) in rows.iter().zip(&ratios).enumerate() {
            let y = top + LINE * index as f64;
            let baseline = y + 12.0;
            self.text(BARS - 6.0, baseline, "end", &row.contender);
            let value = shown::value(row.case.workload, row.value.median);
            let Some(ratio) = ratio else {
                self.text(BARS, baseline, "dim", &value);
                continue;
            };
            let length = ratio.median * scale;
            let colour = self.colour(row);
            let _ = writeln!(
                self.body,
                "<rect x=\"{BARS}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"12\" fill=\"{colour}\"/>",
                y + 2.0,
            );
            let (least, most) = (BARS + ratio.least * scale, BARS + ratio.most * scale);
            if most - least > 1.0 {
                self.line("whisker", (least, y + 8.0), (most, y + 8.0));
            }
            let text = format!("{:.2} × · {value}", ratio.median);
            self.text(most.max(BARS + length) + 6.0, baseline, "", &text);
        }
    }

    fn lines(&mut self, top: f64, bottom: f64, rows: &[(&Row, Quantiles)]) {
        const NAMES: [&str; 4] = ["p50", "p99", "p99.9", "max"];
        let points = |latency: &Quantiles| [latency.p50, latency.p99, latency.p999, latency.max];
        let all = rows.iter().flat_map(|(_, latency)| points(latency));
        let (least, most) = all.fold((f64::MAX, 1.0_f64), |(least, most), one| {
            (least.min(one), most.max(one))
        });
        let (low, high) = (least.max(1.0).log10().floor(), most.log10().ceil());
        let high = if high > low { high } else { low + 1.0 };
        let y = |nanoseconds: f64| {
            bottom - (nanoseconds.max(1.0).log10() - low) / (high - low) * (bottom - top)
        };
        let x =
            |index: usize| LINES.0 + (LINES.1 - LINES.0) * index as f64 / (NAMES.len() - 1) as f64;
        for power in low as i32..=high as i32 {
            let nanoseconds = 10_f64.powi(power);
            let at = y(nanoseconds);
            self.line("grid", (LINES.0, at), (LINES.1, at));
            self.text(
                LINES.0 - 6.0,
                at + 4.0,
                "dim end",
                &power_of_ten(nanoseconds),
            );
        }
        for (index, name) in NAMES.iter().enumerate() {
            self.text(x(index), bottom + 18.0, "dim middle", name);
        }
        for (row, latency) in rows {
            let colour = self.colour(row);
            let mut path = String::new();
            for (index, nanoseconds) in points(latency).into_iter().enumerate() {
                let _ = write!(path, "{:.1},{:.1} ", x(index), y(nanoseconds));
            }
            let (width, dashes) = match row.kind {
                Kind::Ours => (2.5, ""),
                Kind::Limit => (1.5, " stroke-dasharray=\"4 3\""),
                Kind::Peer | Kind::Streams => (1.5, ""),
            };
            let _ = writeln!(
                self.body,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dashes}>\
                 <title>{}</title></polyline>",
                path.trim_end(),
                row.contender,
            );
        }
    }

    /// The same in all plots of a run.
    fn colour(&self, row: &Row) -> &'static str {
        let colours = |kind| match kind {
            Kind::Ours => OURS,
            Kind::Limit => LIMITS,
            Kind::Peer | Kind::Streams => PEERS,
        };
        let palette = colours(row.kind);
        let alike = (self.results.contenders.iter()).filter(|one| colours(one.kind) == palette);
        let index = alike.into_iter().position(|one| one.name == row.contender);
        palette[index.unwrap_or(0) % palette.len()]
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: impl Display) {
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"
        );
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = writeln!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }
}

fn power_of_ten(nanoseconds: f64) -> String {
    match nanoseconds {
        few if few < 1e3 => format!("{few:.0} ns"),
        some if some < 1e6 => format!("{:.0} µs", some / 1e3),
        many if many < 1e9 => format!("{:.0} ms", many / 1e6),
        most => format!("{:.0} s", most / 1e9),
    }
}
