//! What only `IPython` understands.

use std::collections::BTreeSet;

use super::cells::CodeCell;
use super::{Diagnostic, DiagnosticCode, Severity, Tool};
use crate::languages::is_jupyter_language;
use crate::lines::{trim, trim_start};
use crate::magics::{self, Magics};
use crate::python;

/// Reports magics, and returns the cells that are no Python because of commands
/// that are not commented.
pub(super) fn find(cells: &[CodeCell<'_>], res: &mut Vec<Diagnostic>) -> BTreeSet<usize> {
    let mut commands = BTreeSet::new();
    let bound: BTreeSet<&str> = cells
        .iter()
        .filter_map(|it| it.usage.as_ref())
        .flat_map(|it| it.bound.keys().map(String::as_str))
        .collect();
    for cell in cells {
        if let Some(language) = language(cell.source) {
            res.push(Diagnostic {
                code: DiagnosticCode::OtherLanguage,
                severity: Severity::Note,
                tools: vec![Tool::Marimo],
                message: format!("the cell is in {language}; marimo has it as a comment"),
                places: vec![cell.place(1)],
            });
            continue;
        }
        commented(cell, res);
        if uncommented(cell, &bound, res) && cell.analysis.is_err() {
            commands.insert(cell.idx);
        }
    }
    commands
}

fn language(source: &str) -> Option<&str> {
    let name = source.strip_prefix("%%")?.split([' ', '\t', '\n']).next()?;
    is_jupyter_language(name).then_some(name)
}

/// Reports the lines of a cell that marimo has as comments.
fn commented(cell: &CodeCell<'_>, res: &mut Vec<Diagnostic>) {
    let code = magics::comment(cell.source, "python", Magics::Unambiguous);
    let lines = cell.source.split('\n').zip(code.split('\n'));
    let is_magic = |(_, (line, commented)): &(usize, (&str, &str))| {
        line != commented && !trim_start(line).starts_with('#')
    };
    for (idx, (line, _)) in lines.enumerate().filter(is_magic) {
        let line = trim(line);
        let target = line.split_once('=').map(|(target, _)| trim(target));
        let target = target.filter(|target| {
            target.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        });
        let (severity, message) = match target {
            Some(target) => (
                Severity::Warning,
                format!("`{line}` is a comment in marimo, so `{target}` is not defined there"),
            ),
            None => (Severity::Note, format!("`{line}` is a comment in marimo")),
        };
        res.push(Diagnostic {
            code: DiagnosticCode::Magic,
            severity,
            tools: vec![Tool::Marimo],
            message,
            places: vec![cell.place(idx + 1)],
        });
    }
}

/// Reports lines that could be code or prose as well, and so are not commented;
/// returns whether the cell would be Python without them.
fn uncommented(cell: &CodeCell<'_>, bound: &BTreeSet<&str>, res: &mut Vec<Diagnostic>) -> bool {
    let bare = magics::comment(&cell.code, "python", Magics::All);
    if bare == cell.code {
        return false;
    }
    let is_cause = python::scope::analyze(&bare, "0").is_ok();
    let lines = cell.code.split('\n').zip(bare.split('\n')).enumerate();
    for (idx, (line, commented)) in lines {
        let first = line.split([' ', '\t']).next().unwrap_or_default();
        let is_help = trim(line).ends_with('?');
        if line == commented || line.starts_with('#') || (!is_help && bound.contains(first)) {
            continue;
        }
        // What is valid Python and stands in a cell that is not is no reason.
        let is_error = cell.analysis.is_err();
        if is_error && (!is_cause || python::parse_module(line).is_ok()) {
            continue;
        }
        res.push(Diagnostic {
            code: DiagnosticCode::IpythonSyntax,
            severity: if is_error { Severity::Error } else { Severity::Warning },
            tools: vec![Tool::Marimo],
            message: format!(
                "only IPython understands `{}`; write `%` or `!` in front of it, so that it is a \
                 comment in marimo",
                trim(line)
            ),
            places: vec![cell.place(idx + 1)],
        });
    }
    is_cause
}
