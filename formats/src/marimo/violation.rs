//! What marimo changes or deletes when it saves a script (`marimo 0.25.2
//! parse`).

use std::fmt;
use std::sync::Arc;

use super::content::Content;
use super::extract::Reading;
use super::layout::{self, Found, Layout};
use crate::ParseError;

/// Something in a marimo script that doesn't survive marimo's own save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The line in the file, from 1. That of `def` or `class` if it is about a
    /// definition with decorators.
    pub line: usize,
    /// What it is.
    pub kind: ViolationKind,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

/// The kinds of [`Violation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ViolationKind {
    /// marimo is imported under another name.
    #[error("marimo is imported under another name")]
    Alias,
    /// The statement after the import isn't `__generated_with = "..."`.
    #[error("`__generated_with` doesn't follow the import of marimo")]
    MissingVersion,
    /// There is no `if __name__ == "__main__":` below the cells.
    #[error("`if __name__ == \"__main__\":` is missing below the cells")]
    MissingRunGuard,
    /// A statement above `import marimo`.
    #[error("marimo deletes this statement above `import marimo`")]
    BeforeImport,
    /// A statement above `app = marimo.App(...)`.
    #[error("marimo deletes this statement above `app = marimo.App()`")]
    BeforeApp,
    /// A statement above the first cell.
    #[error("marimo deletes this statement, which is in no cell")]
    BeforeCells,
    /// A statement between two cells or below the last one.
    #[error("marimo deletes this statement, which is in no cell")]
    BetweenCells,
    /// A statement or a cell below the run guard.
    #[error("marimo deletes what is below `if __name__ == \"__main__\":`")]
    AfterRunGuard,
    /// A comment that is in no cell.
    #[error("marimo deletes this comment, which is in no cell")]
    Comment,
    /// A decorator beside marimo's, or `as` of the setup cell.
    #[error("marimo deletes what it doesn't know about this cell: other decorators, or `as`")]
    Decorator,
    /// An option that is not a constant.
    #[error("marimo deletes this option, which is not a constant")]
    Option,
    /// A call of `app._unparsable_cell` whose argument is no string.
    #[error("marimo deletes the argument of this cell, which is not a string")]
    UnparsableArgument,
    /// A cell with a syntax error, whose options marimo deletes.
    #[error("this cell has a syntax error, so marimo deletes its options")]
    SyntaxError,
}

impl ViolationKind {
    /// A word for programs, such as `between-cells`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::MissingVersion => "missing-version",
            Self::MissingRunGuard => "missing-run-guard",
            Self::BeforeImport => "before-import",
            Self::BeforeApp => "before-app",
            Self::BeforeCells => "before-cells",
            Self::BetweenCells => "between-cells",
            Self::AfterRunGuard => "after-run-guard",
            Self::Comment => "comment",
            Self::Decorator => "decorator",
            Self::Option => "option",
            Self::UnparsableArgument => "unparsable-argument",
            Self::SyntaxError => "syntax-error",
        }
    }

    /// Whether something that somebody wrote is deleted, and not only put into
    /// marimo's own form.
    pub fn is_hard(self) -> bool {
        !matches!(self, Self::Alias | Self::MissingVersion | Self::MissingRunGuard)
    }
}

/// Returns what marimo would change or delete when it saves a script, by line.
///
/// nbsync deletes none of it: what stands outside of cells keeps its bytes.
pub fn violations(text: &str) -> Result<Vec<Violation>, ParseError> {
    let content = Content::new(Arc::from(text));
    let layout = layout::read(content.text(), Reading::Kept)?;
    Ok(of_layout(&content, &layout))
}

/// The same for a script that was read.
pub(super) fn of_layout(content: &Content, layout: &Layout) -> Vec<Violation> {
    let first_line = content.line(0);
    let lines = layout.violation_lines(content.text());
    let at = |(it, line): (&Found, usize)| Violation { line: first_line + line, kind: it.kind };
    layout.violations.iter().zip(lines).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "import marimo\n\n__generated_with = \"0.9\"\napp = marimo.App()\n";
    const CELL: &str = "@app.cell\ndef _():\n    return\n";
    const GUARD: &str = "if __name__ == \"__main__\":\n    app.run()\n";

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let violations = violations(text).unwrap();
        let found = violations.iter().map(|it| format!("{} {}", it.line, it.kind.code()));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn a_script_that_marimo_wrote_has_none() {
        check(&format!("# a\n\n\"doc\"\n\n{START}\n\n{CELL}\n\n{GUARD}"), &[]);
    }

    #[test]
    fn what_marimo_only_puts_in_order_is_soft() {
        let text = format!("\nimport marimo as m\napp = m.App()\n{CELL}");
        check(&text, &["2 alias", "3 missing-version", "6 missing-run-guard"]);
        assert!(violations(&text).unwrap().iter().all(|it| !it.kind.is_hard()));
    }

    #[test]
    fn statements_and_comments_outside_of_cells_are_hard() {
        let text = format!(
            "import os\n{START}x = 1\n{CELL}# a\n# b\n\n@foo\ndef f(): pass\n\
             with app.setup:\n    x\n{GUARD}y = 1  # c\n"
        );
        let expected = [
            "1 before-import",
            "6 before-cells",
            "10 comment",
            "14 between-cells",
            "15 between-cells",
            "19 after-run-guard",
            "19 comment",
        ];
        check(&text, &expected);
        assert!(violations(&text).unwrap().iter().all(|it| it.kind.is_hard()));
    }

    #[test]
    fn what_marimo_does_not_know_about_a_cell_is_hard() {
        let cells = "@app.cell(column=f(), x=[1, y])  # a\n@foo\ndef _():  # b\n    # c\n    x\n    \
                     return  # d\napp._unparsable_cell(1)\n@bar\n@app.function\n@baz\ndef f():\n    x\n";
        let expected = [
            "5 decorator",
            "5 option",
            "5 option",
            "5 comment",
            "7 comment",
            "10 comment",
            "11 unparsable-argument",
            "13 decorator",
        ];
        check(&format!("{START}{cells}{GUARD}"), &expected);
    }

    #[test]
    fn a_syntax_error_is_at_its_cell() {
        let text = format!("{START}{CELL}@app.cell\ndef _():\n    x = (\n    return\n\n{GUARD}");
        check(&text, &["8 syntax-error"]);
    }
}
