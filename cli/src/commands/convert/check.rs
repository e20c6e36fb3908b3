//! What another format can't hold of notebooks, for people and for programs.

use std::fmt::Write as _;

use nbsync_formats::{Finding, FormatName, What, check, format};
use serde::Serialize;

use super::input::Input;
use super::{ConvertArgs, Outcome, cannot_convert, parallel};
use crate::error::CliError;
use crate::ui::{self, ATTENTION, GOOD, PLAIN, QUIET, Table, count, escape};

/// The version of the JSON document. Grows when a field changes its meaning.
const VERSION: u32 = 1;

/// What formats are checked if none is named; hydrogen differs from percent in the
/// magics only.
const USUAL: [FormatName; 3] = [FormatName::Ipynb, FormatName::Percent, FormatName::Marimo];

#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    checks: Vec<Check>,
}

/// One notebook and one format.
#[derive(Debug, Serialize)]
struct Check {
    file: String,
    from: FormatName,
    to: FormatName,
    lossless: bool,
    findings: Vec<Finding>,
}

pub(super) fn run(args: &ConvertArgs, inputs: &[Input]) -> Result<Outcome, CliError> {
    let results = parallel::map(inputs, |input| of_input(args, input));
    let mut checks = Vec::new();
    let mut has_failed = false;
    for result in results.into_iter().flatten() {
        match result {
            Ok(check) => checks.push(check),
            Err(error) => {
                error.print();
                has_failed = true;
            }
        }
    }
    let is_lossless = checks.iter().all(|check| check.lossless);
    if args.json {
        ui::print_json(&Report { version: VERSION, checks })?;
    } else {
        ui::print(&checks.iter().map(text).collect::<String>())?;
    }
    Ok(if has_failed { Outcome::Failed } else { Outcome::in_sync(is_lossless) })
}

fn of_input(args: &ConvertArgs, input: &Input) -> Vec<Result<Check, CliError>> {
    let notebook = match input.read(args.from) {
        Ok(Some(notebook)) => notebook,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Err(error)],
    };
    let usual: Vec<FormatName> = USUAL.into_iter().filter(|to| *to != notebook.from).collect();
    let formats = if args.to.is_empty() { &usual } else { &args.to };
    let of_format = |&to: &FormatName| {
        let from = (format(notebook.from), notebook.extension.as_str());
        let mut findings = check(notebook.document.as_ref(), from, format(to))
            .map_err(|source| cannot_convert(input, to, source))?;
        findings.retain(|it| !args.ignore.iter().any(|name| name == it.what.name()));
        Ok(Check {
            file: input.shown(),
            from: notebook.from,
            to,
            lossless: !findings.iter().any(|it| it.what.is_loss()),
            findings,
        })
    };
    formats.iter().map(of_format).collect()
}

fn text(check: &Check) -> String {
    let file = escape(&check.file);
    let n_losses = check.findings.iter().filter(|it| it.what.is_loss()).count();
    let verdict = if check.lossless {
        format!("{GOOD}lossless{GOOD:#}")
    } else {
        format!("{ATTENTION}{} lost or changed{ATTENTION:#}", count(n_losses, "thing"))
    };
    let mut res = format!("{file} -> {}: {verdict}\n", check.to);

    // Ids are lost all together, and would stand in every line.
    let ids = check.findings.iter().filter(|it| it.what == What::Id).count();
    let mut table = Table::default();
    let mut rest = check.findings.iter().filter(|it| it.what != What::Id).peekable();
    while let Some(first) = rest.next() {
        let mut words = first.what.to_string();
        while let Some(next) = rest.next_if(|it| it.cell == first.cell && it.cell.is_some()) {
            // Writing to a string doesn't fail.
            write!(words, "; {}", next.what).ok();
        }
        let (number, kind) = match &first.cell {
            Some(cell) => (format!("  cell {}", cell.number), cell.kind.as_str()),
            None => ("  notebook".to_owned(), ""),
        };
        table.row([(PLAIN, number.as_str()), (QUIET, kind), (PLAIN, words.as_str())]);
    }
    if ids > 0 {
        let words = format!("{} of {}", if ids == 1 { "id" } else { "ids" }, count(ids, "cell"));
        table.row([(PLAIN, "  notebook"), (QUIET, ""), (PLAIN, words.as_str())]);
    }
    res.push_str(&table.print());
    res
}
