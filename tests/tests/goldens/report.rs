//! What the suite prints.

use std::path::Path;
use std::process::ExitCode;

use crate::compare::Measured;

/// The columns of the table.
const ENGINES: [&str; 4] = ["core", "burn", "tract", "ort"];

/// What an engine is known to miss, by up to twice the tolerance, and why. Each is printed as such at the end.
const KNOWN: [(&str, &str, &str); 2] = [
    ("module/weight_standardized_conv", "tract", ANOTHER_ORDER),
    ("module/weight_standardized_conv", "ort", ANOTHER_ORDER),
];

const ANOTHER_ORDER: &str = "the golden's own float32 rounding is 2.8e-5 (against the same sums in float64), above the case's \
     tolerance of 2e-5; the engine adds in another order than PyTorch, ONNX Runtime in one that depends on the processor";

/// One engine's run of a case.
#[derive(Debug)]
pub struct Run {
    pub engine: &'static str,
    pub outcome: Result<Measured, String>,
}

impl Run {
    pub fn new(engine: &'static str, outcome: Result<Measured, String>) -> Self {
        Self { engine, outcome }
    }

    fn passed(&self, id: &str) -> bool {
        self.outcome.as_ref().is_ok_and(Measured::passes) || self.known(id).is_some()
    }

    /// Why this engine may miss the case's tolerance, where it does and is known to.
    fn known(&self, id: &str) -> Option<&'static str> {
        let measured = self.outcome.as_ref().ok()?;
        let (.., reason) =
            KNOWN.iter().find(|(case, engine, _)| *case == id && *engine == self.engine)?;
        (!measured.passes() && measured.error <= 2.0 * measured.tolerance).then_some(*reason)
    }
}

/// Lines as cases end, and a table of cases × engines at the end.
pub struct Report {
    listed: usize,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    runs: Vec<Run>,
    failed: bool,
}

impl Report {
    pub fn new(folder: &Path, listed: usize) -> Self {
        println!("goldens: {listed} cases listed in {}", folder.display());
        Self { listed, rows: Vec::new() }
    }

    pub fn add(&mut self, id: &str, result: Result<Vec<Run>, String>) {
        let (runs, problem) = match result {
            Ok(runs) if runs.is_empty() => (runs, Some("no engine ran it".to_owned())),
            Ok(runs) => (runs, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let failed = problem.is_some() || !runs.iter().all(|run| run.passed(id));
        println!("{}", line(id, &runs, problem.as_deref(), failed));
        self.rows.push(Row { id: id.to_owned(), runs, failed });
    }

    pub fn finish(self) -> ExitCode {
        self.print_table();
        let failed = self.rows.iter().filter(|row| row.failed).count();
        let run = self.rows.len();
        let passed = run - failed;
        println!(
            "\ngoldens: {passed} passed, {failed} failed, {} of {} listed cases run",
            run, self.listed
        );
        if run < self.listed {
            println!("goldens: a part of the cases was asked for; this is no proof of the whole");
        }
        for row in self.rows.iter().filter(|row| row.failed) {
            println!("goldens: FAILED {}", row.id);
        }
        for row in &self.rows {
            for run in &row.runs {
                if let Some(reason) = run.known(&row.id) {
                    println!("goldens: KNOWN {} in {}: {reason}", row.id, run.engine);
                }
            }
        }
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn print_table(&self) {
        let width = self.rows.iter().map(|row| row.id.len()).max().unwrap_or(4);
        print!("\n{:width$}", "case");
        ENGINES.iter().for_each(|engine| print!(" | {engine:>9}"));
        println!();
        println!("{}", "-".repeat(width + ENGINES.len() * 12));
        for row in &self.rows {
            print!("{:width$}", row.id);
            for engine in ENGINES {
                let run = row.runs.iter().find(|run| run.engine == engine);
                print!(" | {:>9}", run.map_or(String::new(), cell));
            }
            println!("{}", if row.failed { "  FAILED" } else { "" });
        }
    }
}

fn cell(run: &Run) -> String {
    match &run.outcome {
        Ok(measured) if measured.passes() => format!("{:.1e}", measured.error),
        Ok(measured) => format!("!{:.1e}", measured.error),
        Err(_) => "error".to_owned(),
    }
}

/// `PASS id  engines core, burn  error 1.2e-7  tolerance 1.0e-6`, of the engine that takes most of its tolerance.
fn line(id: &str, runs: &[Run], problem: Option<&str>, failed: bool) -> String {
    let mark = if failed { "FAIL" } else { "pass" };
    let engines = runs.iter().map(|run| run.engine).collect::<Vec<_>>().join(", ");
    let measured = runs.iter().filter_map(|run| run.outcome.as_ref().ok().copied());
    let worst = measured.reduce(Measured::worse).map_or(String::new(), |worst| {
        format!("  error {:.2e}  tolerance {:.2e}", worst.error, worst.tolerance)
    });
    let problems = runs.iter().filter_map(|run| {
        run.outcome.as_ref().err().map(|problem| format!("\n       {}: {problem}", run.engine))
    });
    let engines = if engines.is_empty() { "none".to_owned() } else { engines };
    let problem = problem.map(|problem| format!("\n       {problem}")).unwrap_or_default();
    format!("{mark} {id}  engines {engines}{worst}{problem}{}", problems.collect::<String>())
}
