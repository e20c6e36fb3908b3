//! The cells of a script (`jupytext: DoublePercentScriptCellReader`).

use std::cell::{self, OnceCell};
use std::ops::Range;

use serde_json::Value;

use super::context::{Context, is_active};
use super::fence::{Closers, Fence};
use super::options::{self, Options};
use super::pep8;
use super::writer::GUARD;
use crate::languages::{self, Script};
use crate::lines::{LineSpan, is_blank, is_space, split_lines, trim, trim_start};
use crate::string_scanner::StringScanner;
use crate::{Cell, CellKind, Notes, magics};

/// Where a cell is in the text, and what jupytext reads there.
#[derive(Debug, Clone)]
pub(super) struct Region {
    /// The line of the marker, without its line break; the first cell may have
    /// none.
    pub(super) marker: Option<Range<usize>>,
    /// The lines of the cell, with the last line break.
    pub(super) body: Range<usize>,
    /// Where the next cell starts: behind the blank lines that separate them.
    pub(super) end: usize,
    /// How many blank lines that are.
    pub(super) n_separators: usize,
    /// What surrounds the text of a quoted cell.
    pub(super) quotes: Option<Quotes>,
    /// Whether the metadata is one JSON object.
    pub(super) metadata_is_json: bool,
    /// Whether the cell is code in comments, because a string in it is open.
    pub(super) is_guarded: bool,
    /// Whether markers of cells stand in a string that is opened in this cell and
    /// closed nowhere.
    pub(super) swallows: bool,
    /// The cell, with all metadata of the marker line.
    pub(super) cell: Cell,
}

impl Region {
    /// Where the cell starts.
    pub(super) fn start(&self) -> usize {
        self.marker.as_ref().map_or(self.body.start, |marker| marker.start)
    }
}

/// What surrounds the text of a quoted cell: the triple quotes, and the line
/// breaks inside of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quotes {
    pub(super) left: String,
    pub(super) right: &'static str,
}

impl Quotes {
    /// The note with which jupytext writes these quotes again.
    fn note(&self) -> Option<String> {
        let Self { left, right } = self;
        let quote = left.trim_start_matches(['r', 'R']);
        match (left.len() - quote.len(), quote.len() == 4 && right.len() == 4) {
            (_, true) => Some(left[..left.len() - 1].to_owned()),
            (0, false) => None,
            (_, false) => Some(format!("{left},{right}")),
        }
    }
}

/// Reads the cells from a line to the end of the text.
pub(super) fn read(text: &str, lines: &[LineSpan], from: usize, context: &Context) -> Vec<Region> {
    let reader = Reader {
        text,
        lines,
        context,
        commented: OnceCell::new(),
        bare: OnceCell::new(),
        looks_ahead: cell::Cell::new(lines.len().saturating_mul(50)),
    };
    let mut regions = Vec::new();
    let mut start = from;
    while start < lines.len() {
        let (region, next) = reader.cell(start);
        regions.push(region);
        start = next;
    }
    regions
}

/// Whether a line starts a cell.
pub(super) fn is_marker(line: &str, script: &Script) -> bool {
    behind_comment(line, script).is_some_and(|rest| is_start(rest) || is_alternative(rest))
}

struct Reader<'a> {
    text: &'a str,
    lines: &'a [LineSpan],
    context: &'a Context,
    /// The fences that are closed below a line, in comments and outside.
    commented: OnceCell<Closers>,
    bare: OnceCell<Closers>,
    /// How many more lines may be looked at to know how many blank lines jupytext
    /// would write: a bound for texts in which that needs the rest of the file again
    /// and again.
    looks_ahead: cell::Cell<usize>,
}

impl<'a> Reader<'a> {
    fn line(&self, idx: usize) -> &'a str {
        &self.text[self.lines[idx].content()]
    }

    fn cell(&self, start: usize) -> (Region, usize) {
        let script = self.context.script;
        let first = self.line(start);
        let rest = behind_comment(first, script);
        let Options { kind, mut metadata, is_json } = match rest {
            Some(rest) if is_start(rest) => options::parse(options_of(first, script)),
            _ => Options::default(),
        };
        let has_marker = rest.is_some_and(|rest| is_start(rest) || is_alternative(rest));

        let mut language = None;
        if let Some(Value::String(name)) = metadata.get("language") {
            language = Some(name.clone()).filter(|name| !name.is_empty());
            metadata.shift_remove("language");
        }
        // In cells that are active here but not in Jupyter, nothing is commented.
        let mut comment = script.comment;
        let kind = kind.unwrap_or_else(|| {
            if is_active(".ipynb", &metadata, true) {
                return CellKind::Code;
            }
            if metadata.get("active").is_some_and(|active| active == "") {
                metadata.shift_remove("active");
            }
            if is_active(script.extension, &metadata, true) {
                comment = "";
            }
            CellKind::Raw
        });

        let scanned = language.as_deref().unwrap_or(&self.context.language);
        let (next, swallows) = self.next_marker(start, kind, comment, scanned);
        let body_start = start + usize::from(has_marker);
        let body_end = next - n_separators(next - start, |back| self.line(next - back));
        let body: Vec<&str> = (body_start..body_end).map(|idx| self.line(idx)).collect();
        let mut notes = Notes::default();
        if let Some(n_lines) = self.lines_to_next(&body, next - body_end, next) {
            notes.0.insert("lines_to_next_cell".to_owned(), n_lines.into());
        }

        let mut quotes = None;
        let mut source = None;
        if script.extension == ".py"
            && !is_active(".py", &metadata, kind == CellKind::Code)
            && let Some((found, inner)) = unquote(trim(&body.join("\n")))
        {
            if let Some(marker) = found.note() {
                notes.0.insert("cell_marker".to_owned(), marker.into());
            }
            quotes = Some(found);
            source = Some(split_lines(inner).join("\n"));
        }
        let is_guarded = GUARD
            .iter()
            .all(|(key, value)| metadata.get(*key).is_some_and(|it| it.as_str() == Some(value)));
        let mut source = source.unwrap_or_else(|| {
            let is_other = !metadata.contains_key("active")
                && language.as_ref().is_some_and(|language| *language != self.context.language);
            if is_other || !is_active(script.extension, &metadata, true) {
                let is_r = matches!(script.extension, ".r" | ".R");
                let prefix = if is_r { script.comment } else { comment };
                // jupytext leaves the end of a comment in the source; in a guarded cell,
                // which it didn't write, nothing is in the way of taking it off.
                let suffix = if is_guarded { script.comment_suffix } else { "" };
                let lines: Vec<&str> =
                    body.iter().map(|line| uncomment_line(line, prefix, suffix)).collect();
                lines.join("\n")
            } else {
                self.active_source(&body, kind, language.as_deref(), comment)
            }
        });
        if let Some(language) = language {
            self.set_language(&mut source, &mut metadata, language);
        }
        if is_guarded {
            for (key, _) in GUARD {
                metadata.shift_remove(key);
            }
        }

        let offset = |idx: usize| self.lines.get(idx).map_or(self.text.len(), |line| line.start);
        let region = Region {
            marker: has_marker.then(|| self.lines[start].content()),
            body: offset(body_start)..offset(body_end),
            end: offset(next),
            n_separators: next - body_end,
            quotes,
            metadata_is_json: is_json,
            is_guarded,
            swallows,
            cell: Cell { metadata, notes, ..Cell::new(kind, source) },
        };
        (region, next)
    }

    /// Returns the line of the next cell, and whether an open string hides markers.
    fn next_marker(
        &self,
        start: usize,
        kind: CellKind,
        comment: &str,
        language: &str,
    ) -> (usize, bool) {
        let script = self.context.script;
        let mut scanner = StringScanner::new(language);
        let mut open: Option<Fence> = None;
        let mut hides_marker = false;
        for idx in start..self.lines.len() {
            let line = self.line(idx);
            let is_quoted = scanner.is_quoted();
            scanner.read_line(line);
            if is_quoted {
                hides_marker |= is_marker(line, script);
                continue;
            }
            if kind != CellKind::Code {
                let text = uncomment_line(line, comment, script.comment_suffix);
                if let Some(fence) = open {
                    if fence.is_closed_by(text) {
                        open = None;
                    }
                    continue;
                }
                if let Some(fence) = Fence::opened_by(text)
                    && self.closers(comment).has(fence, idx + 1)
                {
                    open = Some(fence);
                    continue;
                }
            }
            hides_marker &= scanner.is_quoted();
            if idx > start && is_marker(line, script) {
                return (idx, false);
            }
        }
        (self.lines.len(), hides_marker && scanner.is_quoted())
    }

    /// How many blank lines jupytext notes behind a cell: those that it wouldn't
    /// write by itself.
    fn lines_to_next(&self, body: &[&str], n_separators: usize, next: usize) -> Option<usize> {
        let n_lines = match (n_separators, next < self.lines.len()) {
            (n, true) => n,
            (0, false) => 1,
            (n, false) => n + 1,
        };
        let following = (next..self.lines.len()).map_while(|idx| {
            self.looks_ahead.set(self.looks_ahead.get().checked_sub(1)?);
            Some(self.line(idx))
        });
        let body = if body.is_empty() { &[""] } else { body };
        let expected = match self.context.script.extension {
            ".py" => pep8::blank_lines(body, following, ".py"),
            _ => 1,
        };
        (n_lines != expected && self.looks_ahead.get() > 0).then_some(n_lines)
    }

    fn active_source(
        &self,
        body: &[&str],
        kind: CellKind,
        language: Option<&str>,
        comment: &str,
    ) -> String {
        let context = self.context;
        let scanned = language.unwrap_or(&context.language);
        let mut lines: Vec<String> = body.iter().map(|&line| line.to_owned()).collect();
        if context.comments_magics {
            magics::uncomment_lines(&mut lines, scanned, magics::Magics::All);
        }
        if context.language == "go" && language.is_none() {
            for line in &mut lines {
                *line = uncomment_go(line);
            }
        }
        if kind == CellKind::Code {
            unescape_starts(&mut lines, context.script, scanned);
            return lines.join("\n");
        }
        let suffix = context.script.comment_suffix;
        let lines: Vec<&str> =
            lines.iter().map(|line| uncomment_line(line, comment, suffix)).collect();
        lines.join("\n")
    }

    /// Turns another language than the main one into the magic it stands for.
    fn set_language(
        &self,
        source: &mut String,
        metadata: &mut serde_json::Map<String, Value>,
        language: String,
    ) {
        let main = &self.context.language;
        if language == *main {
            return;
        }
        if languages::usual_name(&language) == *main || !self.context.is_language(&language) {
            metadata.insert("language".to_owned(), Value::String(language));
            return;
        }
        let magic = if main == "csharp" { "#!" } else { "%%" };
        let arguments = match metadata.shift_remove("magic_args") {
            Some(Value::String(arguments)) => format!(" {arguments}"),
            Some(arguments) => format!(" {}", crate::python_json::dumps(&arguments)),
            None => String::new(),
        };
        *source = format!("{magic}{language}{arguments}\n{source}");
    }

    /// The fences that are closed further down, in lines with this comment.
    fn closers(&self, comment: &str) -> &Closers {
        let cell = if comment.is_empty() { &self.bare } else { &self.commented };
        cell.get_or_init(|| {
            let suffix = self.context.script.comment_suffix;
            let lines = (0..self.lines.len()).map(|idx| self.line(idx));
            Closers::new(lines.map(|line| uncomment_line(line, comment, suffix)))
        })
    }
}

/// How many of the blank lines at the end of a cell's lines belong to no cell.
///
/// `line` gives a line by its place from the end: 1 is the last one.
fn n_separators<'a>(n_lines: usize, line: impl Fn(usize) -> &'a str) -> usize {
    if n_lines >= 3 && !is_blank(line(3)) && is_blank(line(2)) && is_blank(line(1)) {
        2
    } else {
        usize::from(line(1).is_empty())
    }
}

/// Returns how many blank lines have to stand behind the lines of a cell so that all of
/// them, and no more, are read as its end; as close to `wanted` as possible.
///
/// There may be none: one line break at the end of code is never read back.
pub(super) fn separators(lines: &[&str], wanted: usize) -> Option<usize> {
    [wanted, 1, 0].into_iter().find(|&n| {
        let line = |back: usize| if back <= n { "" } else { lines[lines.len() + n - back] };
        lines.len() + n > 0 && n_separators(lines.len() + n, line) == n
    })
}

/// What follows the comment prefix of a line and blanks.
fn behind_comment<'a>(line: &'a str, script: &Script) -> Option<&'a str> {
    trim_start(line).strip_prefix(script.comment).map(trim_start)
}

/// `%% options`, `%%%% sub cell`.
fn is_start(rest: &str) -> bool {
    rest.strip_prefix("%%").is_some_and(|rest| rest.trim_start_matches('%').starts_with(is_space))
}

/// `%%`, `In[1]:`, `<codecell>`.
fn is_alternative(rest: &str) -> bool {
    let number = |rest: &'_ str| {
        let (number, rest) = rest.split_once(']')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
        is_number.then(|| is_blank(rest.strip_prefix(':').unwrap_or(rest)))
    };
    if let Some(rest) = rest.strip_prefix("%%").or_else(|| rest.strip_prefix("<codecell>")) {
        return is_blank(rest);
    }
    rest.strip_prefix("In[").and_then(number).unwrap_or(false)
}

/// The text behind `%%` in a marker line.
pub(super) fn options_of<'a>(line: &'a str, script: &Script) -> &'a str {
    let line = uncomment_line(line, script.comment, script.comment_suffix);
    line.find("%%").map_or("", |at| &line[at + 2..])
}

/// Takes the comment off a line, if there is one.
pub(super) fn uncomment_line<'a>(line: &'a str, prefix: &str, suffix: &str) -> &'a str {
    let strip_prefix = || {
        let rest = line.strip_prefix(prefix)?;
        Some(rest.strip_prefix(' ').unwrap_or(rest))
    };
    let line = if prefix.is_empty() { line } else { strip_prefix().unwrap_or(line) };
    let strip_suffix = || {
        let rest = line.strip_suffix(suffix)?;
        Some(rest.strip_suffix(' ').unwrap_or(rest))
    };
    if suffix.is_empty() { line } else { strip_suffix().unwrap_or(line) }
}

/// The quotes around a text, and what they hold.
fn unquote(text: &str) -> Option<(Quotes, &str)> {
    for prefix in ["", "r", "R"] {
        for quote in ["\"\"\"", "'''"] {
            let inner = text
                .strip_prefix(prefix)
                .and_then(|text| text.strip_prefix(quote))
                .and_then(|text| text.strip_suffix(quote));
            let Some(mut inner) = inner else { continue };
            let mut left = format!("{prefix}{quote}");
            let mut right = if quote == "'''" { "'''" } else { "\"\"\"" };
            if let Some(rest) = inner.strip_prefix('\n') {
                inner = rest;
                left.push('\n');
            }
            if let Some(rest) = inner.strip_suffix('\n') {
                inner = rest;
                right = if quote == "'''" { "\n'''" } else { "\n\"\"\"" };
            }
            return Some((Quotes { left, right }, inner));
        }
    }
    None
}

/// Takes one comment off lines that look like the start of a cell of the light
/// format (`jupytext: unescape_code_start`).
fn unescape_starts(lines: &mut [String], script: &Script, language: &str) {
    let is_start = |line: &str| {
        let mut rest = line;
        let mut n_comments = 0;
        while let Some(inner) = rest.strip_prefix(script.comment) {
            rest = inner.strip_prefix(' ').unwrap_or(inner);
            n_comments += 1;
        }
        n_comments > 0 && rest.starts_with('+')
    };
    let mut scanner = StringScanner::new(language);
    for line in lines {
        let mut unescaped = None;
        if !scanner.is_quoted() && is_start(line) {
            unescaped = Some(magics::uncomment_line(line, language)).filter(|line| is_start(line));
        }
        scanner.read_line(line);
        if let Some(unescaped) = unescaped {
            *line = unescaped;
        }
    }
}

/// Takes `//gonb:` off a magic of a Go notebook.
fn uncomment_go(line: &str) -> String {
    let Some(at) = line.find("gonb:%%") else { return line.to_owned() };
    let mut comments = 0;
    let mut rest = &line[..at];
    // The last comment goes with the mark.
    let mut last = None;
    while let Some(inner) = rest.strip_prefix("//") {
        last = Some(comments);
        rest = trim_start(inner);
        comments = at - rest.len();
    }
    match last {
        Some(last) if rest.is_empty() => {
            format!("{}{}", &line[..last], &line[at + "gonb:".len()..])
        }
        _ => line.to_owned(),
    }
}
