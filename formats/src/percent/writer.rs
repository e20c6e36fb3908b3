//! The text of a cell (`jupytext: DoublePercentCellExporter`).

use serde_json::{Map, Value};

use super::context::{Context, active_tag, is_active};
use super::notes::LAYOUT_KEYS;
use super::options;
use super::reader::Quotes;
use crate::lines::{is_blank, is_space, split_lines, trim_start};
use crate::{Cell, CellKind, languages, magics, marimo_metadata, python_json};

/// How a cell is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// As jupytext does, but for what it deletes.
    Usual,
    /// As jupytext does, whatever it deletes.
    Jupytext,
    /// Text, or code that isn't active here, in these quotes.
    Quotes(&'a Quotes),
    /// The same in comments, whatever the notebook asks for.
    Comments,
    /// The magic of another language as it is, like all other magics.
    Magic,
    /// Code in comments, so that a string in it that is closed nowhere doesn't hide
    /// the cells below.
    Guarded,
}

/// The keys of a guarded cell. jupytext takes the first one for what it is, and
/// keeps the second one.
pub(super) const GUARD: [(&str, &str); 2] = [("active", "ipynb"), ("nbsync", "open string")];

/// A cell as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CellText {
    /// What stands behind `%%`, with the blank between them.
    pub(super) options: String,
    /// The blanks before the marker: an indented cell has an indented marker.
    pub(super) indent: String,
    /// The lines below the marker.
    pub(super) body: Vec<String>,
    /// Whether the lines are code that runs.
    pub(super) is_active: bool,
    /// Whether the lines stand in quotes.
    pub(super) is_quoted: bool,
}

impl CellText {
    /// Writes a cell.
    ///
    /// Metadata that is `shown` in its present text is written whatever the filter
    /// says.
    pub(super) fn new(
        cell: &Cell,
        way: Way<'_>,
        shown: &Map<String, Value>,
        context: &Context,
    ) -> Self {
        let mut lines = source_lines(&cell.source);
        let all = with_marimo(cell);
        let filtered = context.cell_filter.cell(&all);
        let mut metadata: Map<String, Value> = all
            .iter()
            .filter(|(key, _)| {
                filtered.contains_key(*key) && !LAYOUT_KEYS.contains(&key.as_str())
                    || options::is_key(key) && (shown.contains_key(*key) || *key == "marimo")
            })
            .map(|(key, value)| (key.clone(), filtered.get(key).unwrap_or(value).clone()))
            .collect();

        let mut language = None;
        if way == Way::Jupytext
            && !context.is_hydrogen
            && let Some(arguments) = nameless_magic(&lines, context)
        {
            lines.remove(0);
            if !arguments.is_empty() {
                metadata.insert("magic_args".to_owned(), Value::String(arguments));
            }
        } else if !context.is_hydrogen
            && way != Way::Magic
            && let Some((name, arguments)) = magic_language(&lines, context)
        {
            lines.remove(0);
            if !arguments.is_empty() {
                metadata.insert("magic_args".to_owned(), Value::String(arguments));
            }
            metadata.insert("language".to_owned(), Value::String(name.clone()));
            language = Some(name);
        }
        let language = language
            .or_else(|| cell.metadata.get("language")?.as_str().map(str::to_owned))
            .unwrap_or_else(|| context.language.clone());

        if way == Way::Guarded && active_tag(&metadata).is_none() {
            for (key, value) in GUARD {
                metadata.entry(key).or_insert_with(|| value.into());
            }
        }
        let has_active = metadata.contains_key("active");
        let is_raw = cell.kind == CellKind::Raw;
        if is_raw && !has_active && active_tag(&metadata).is_none() {
            metadata.insert("active".to_owned(), Value::from(""));
        }
        if context.language == "go" && language == "go" {
            for line in &mut lines {
                *line = comment_go(line);
            }
        }
        let is_same = languages::is_same(&language, &context.language);
        let is_active = is_active(context.script.extension, &metadata, is_same);
        if is_raw && metadata.get("active").is_some_and(|active| active == "") {
            metadata.shift_remove("active");
        }
        let is_code = cell.kind == CellKind::Code
            || (is_raw && metadata.contains_key("active"))
            || active_tag(&metadata).is_some();
        let kind = (!is_code).then_some(cell.kind);
        let is_json = context.metadata_is_json;
        let options = match way {
            Way::Jupytext => options::print(kind, &metadata, is_json),
            _ => print_options(kind, metadata, is_json),
        };

        let mut is_quoted = false;
        let mut indent = String::new();
        if is_code && is_active {
            if let Some(first) = lines.first().filter(|line| !is_blank(line)) {
                first[..first.len() - trim_start(first).len()].clone_into(&mut indent);
            }
            magics::comment_lines(&mut lines, &language, context.magics());
            if lines == [""] {
                lines.clear();
            }
        } else {
            let quotes = match way {
                Way::Quotes(Quotes { left, right }) => Some((left.clone(), (*right).to_owned())),
                Way::Usual | Way::Jupytext | Way::Magic => match cell.notes.0.get("cell_marker") {
                    Some(note) => note.as_str().and_then(markers),
                    None => context.cell_markers.as_deref().and_then(markers),
                },
                Way::Comments | Way::Guarded => None,
            };
            is_quoted = quotes.is_some();
            if matches!(way, Way::Quotes(_))
                && 1 < lines.len()
                && lines.last().is_some_and(String::is_empty)
            {
                // Of blank lines before the end of quotes, one is not read.
                lines.push(String::new());
            }
            lines = comment(lines, quotes, context);
        }
        Self { options, indent, body: lines, is_active: is_code && is_active, is_quoted }
    }

    /// Returns the marker line.
    pub(super) fn marker(&self, context: &Context) -> String {
        let comment = format!("{}{} ", self.indent, context.script.comment);
        self.marker_behind(&comment, context)
    }

    /// Returns the marker line with what already stands before `%%` in it.
    pub(super) fn marker_behind(&self, start: &str, context: &Context) -> String {
        let is_depth = self.options.starts_with('%');
        let blank = if self.options.is_empty() || is_depth { "" } else { " " };
        let suffix = context.script.comment_suffix;
        // Percent signs alone are no marker.
        let is_bare = is_depth && self.options.bytes().all(|byte| byte == b'%');
        let end = if suffix.is_empty() && !is_bare { "" } else { " " };
        format!("{start}%%{blank}{}{end}{suffix}", self.options)
    }
}

/// Returns the metadata of a cell with the key of marimo in it.
fn with_marimo(cell: &Cell) -> Map<String, Value> {
    let mut metadata = cell.metadata.clone();
    if let Some(marimo) = marimo_metadata::for_cell(&cell.marimo, cell.kind) {
        // Jupyter sorts metadata.
        let at = metadata.keys().position(|key| key.as_str() > "marimo").unwrap_or(metadata.len());
        metadata.shift_insert(at, "marimo".to_owned(), marimo);
    }
    metadata
}

/// Returns quotes in which the text of a cell can stand, if there are any.
///
/// Unlike comments, they hide everything that could be a magic or a marker.
pub(super) fn safe_quotes(source: &str) -> Option<Quotes> {
    // What a merge leaves at the start of a line is refused by the reader.
    if source.lines().any(|line| line.starts_with("<<<<<<<")) {
        return None;
    }
    let prefix = if source.contains('\\') { "r" } else { "" };
    [("\"\"\"", "\n\"\"\""), ("'''", "\n'''")]
        .into_iter()
        .find(|(quote, _)| !source.contains(quote))
        .map(|(quote, right)| Quotes { left: format!("{prefix}{quote}\n"), right })
}

/// Writes the options so that they read back, if that is possible.
///
/// A key without a value reads as a title if nothing stands before it.
fn print_options(
    kind: Option<CellKind>,
    mut metadata: Map<String, Value>,
    is_json: bool,
) -> String {
    let printed = options::print(kind, &metadata, is_json);
    if is_json || is_same(&options::parse(&printed).metadata, &metadata) {
        return printed;
    }
    let bare = |value: &Value| value.is_null();
    let keys: Vec<String> =
        metadata.iter().filter(|(_, value)| bare(value)).map(|(key, _)| key.clone()).collect();
    for key in keys {
        metadata.shift_remove(&key);
        metadata.insert(key, Value::Null);
    }
    let reordered = options::print(kind, &metadata, is_json);
    if is_same(&options::parse(&reordered).metadata, &metadata) { reordered } else { printed }
}

/// Whether metadata is the same, however its numbers are spelled.
fn is_same(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    let is_same = |(key, value): (&String, &Value)| {
        right.get(key).is_some_and(|it| python_json::dumps(it) == python_json::dumps(value))
    };
    left.len() == right.len() && left.iter().all(is_same)
}

/// Returns the lines of a source; one that ends in a newline has an empty last
/// line.
fn source_lines(source: &str) -> Vec<String> {
    let mut lines: Vec<String> = split_lines(source).into_iter().map(str::to_owned).collect();
    if source.is_empty() || source.ends_with('\n') {
        lines.push(String::new());
    }
    lines
}

/// The language that the first line of a cell switches to, and its arguments.
fn magic_language(lines: &[String], context: &Context) -> Option<(String, String)> {
    let first = lines.first()?;
    if context.language == "go" && is_go_magic(first) {
        return None;
    }
    if context.language == "csharp" {
        let name = crate::lines::trim(first.strip_prefix("#!")?);
        return languages::is_jupyter_language(name).then(|| (name.to_owned(), String::new()));
    }
    let magic = first.strip_prefix("%%")?;
    let (name, arguments) = magic.split_once(' ').unwrap_or((magic, ""));
    context.is_language(name).then(|| (name.to_owned(), arguments.to_owned()))
}

/// The arguments of a magic without a name, which jupytext takes for a language.
fn nameless_magic(lines: &[String], context: &Context) -> Option<String> {
    let rest = lines.first()?.strip_prefix("%%")?;
    let is_nameless = rest.is_empty() || rest.starts_with(' ');
    let has_such = !matches!(context.language.as_str(), "go" | "csharp");
    (is_nameless && has_such).then(|| rest.get(1..).unwrap_or_default().to_owned())
}

/// `%%`, `%% -flags`.
fn is_go_magic(line: &str) -> bool {
    line.strip_prefix("%%").is_some_and(|rest| {
        let rest_trimmed = trim_start(rest);
        rest_trimmed.is_empty()
            || (rest_trimmed.len() < rest.len() && rest_trimmed.starts_with('-'))
    })
}

/// Comments a magic of a Go notebook in a way that Go tools leave alone.
fn comment_go(line: &str) -> String {
    let mut rest = line;
    let mut last = "";
    while let Some(inner) = rest.strip_prefix("//") {
        let inner = inner.trim_start_matches(is_space);
        last = &rest[..rest.len() - inner.len()];
        rest = inner;
    }
    if is_go_magic(rest) { format!("{last}//gonb:{rest}") } else { line.to_owned() }
}

/// Comments or quotes the lines of a cell that isn't code here.
fn comment(
    mut lines: Vec<String>,
    quotes: Option<(String, String)>,
    context: &Context,
) -> Vec<String> {
    if let Some((mut left, right)) = quotes {
        if lines.is_empty() {
            lines.push(String::new());
        }
        let has_backslash = lines.iter().any(|line| line.contains('\\'));
        if has_backslash && !left.starts_with(['r', 'R']) && !context.is_hydrogen {
            left.insert(0, 'r');
        }
        lines[0].insert_str(0, &left);
        if let Some(last) = lines.last_mut() {
            last.push_str(&right);
        }
        // The quotes may have brought line breaks.
        return lines.join("\n").split('\n').map(str::to_owned).collect();
    }
    let (prefix, suffix) = (context.script.comment, context.script.comment_suffix);
    for line in &mut lines {
        *line = match (line.is_empty(), suffix.is_empty()) {
            (true, true) => prefix.to_owned(),
            (true, false) => format!("{prefix} {suffix}"),
            (false, true) => format!("{prefix} {line}"),
            (false, false) => format!("{prefix} {line} {suffix}"),
        };
    }
    lines
}

/// Reads the option `cell_markers`, if it stands for quotes.
fn markers(markers: &str) -> Option<(String, String)> {
    let (left, right) = if let Some((left, right)) = markers.split_once(',') {
        (left.to_owned(), right.to_owned())
    } else {
        let quote = markers.strip_prefix(['r', 'R']).unwrap_or(markers);
        (format!("{markers}\n"), format!("\n{quote}"))
    };
    let quote = left.strip_prefix(['r', 'R']).unwrap_or(&left).get(..3)?;
    let is_quote = matches!(quote, "\"\"\"" | "'''") && right.ends_with(quote);
    is_quote.then_some((left, right))
}
