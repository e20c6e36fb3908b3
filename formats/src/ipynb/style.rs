use super::read::Layout;
use super::scan::Object;

/// How a file spells its JSON.
#[derive(Debug)]
pub(super) struct Style {
    /// What starts a line, `None` if everything is on one line.
    newline: Option<&'static str>,
    /// One level of indentation.
    indent: String,
    /// From one item to the next, up to the end of the line.
    pub(super) comma: String,
    pub(super) colon: String,
    /// Whether characters beyond ASCII are written as escapes.
    pub(super) ascii: bool,
    /// Whether the keys of objects are sorted.
    pub(super) sorted: bool,
    /// Whether a source is one string instead of a list of lines.
    pub(super) joined: bool,
    /// The order of keys in the file's cells.
    pub(super) order: Vec<String>,
}

impl Style {
    /// Sees how a file is written.
    ///
    /// `escapes` says whether characters beyond ASCII were seen as escapes.
    pub(super) fn of(text: &str, layout: &Layout, escapes: bool) -> Self {
        let root = &layout.root;
        let first = root.members.first();
        let lead = first.map_or("", |first| &text[root.span.start + 1..first.span.start]);
        let newline =
            lead.contains('\n').then(|| if lead.contains("\r\n") { "\r\n" } else { "\n" });
        let indent = match lead.rsplit_once('\n') {
            Some((_, indent)) => indent.to_owned(),
            None => String::new(),
        };
        let comma = match &root.members[..] {
            [first, second, ..] => {
                let gap = &text[first.span.end..second.span.start];
                // Python 2 wrote a blank before the line break.
                gap.split(['\r', '\n']).next().unwrap_or(",")
            }
            _ => ",",
        };
        let colon = first
            .and_then(|first| text[first.span.start..first.value.start].rsplit_once('"'))
            .map_or(": ", |(_, colon)| colon);
        let cells = || layout.cells.iter().map(|cell| &cell.object);
        let sources = || cells().filter_map(|cell| cell.get("source"));
        let is_list = |value: &std::ops::Range<usize>| text[value.clone()].starts_with('[');
        let longest = |best: Option<&'_ Object>, cell: &'_ Object| {
            best.is_none_or(|best| cell.members.len() > best.members.len())
        };
        let mut widest = None;
        for cell in cells() {
            if longest(widest, cell) {
                widest = Some(cell);
            }
        }
        Self {
            newline,
            indent,
            comma: if comma.starts_with(',') { comma } else { "," }.to_owned(),
            colon: colon.to_owned(),
            ascii: escapes && text[root.span.clone()].is_ascii(),
            sorted: if layout.cells.is_empty() {
                root.is_sorted()
            } else {
                cells().all(Object::is_sorted)
            },
            joined: sources().next().is_some() && !sources().any(|source| is_list(&source.value)),
            order: widest.map_or_else(Vec::new, |cell| {
                cell.members.iter().map(|member| member.key.clone()).collect()
            }),
        }
    }

    /// Starts a line that is `depth` deep, if the file has lines.
    pub(super) fn new_line(&self, out: &mut String, depth: usize) {
        if let Some(newline) = self.newline {
            out.push_str(newline);
            for _ in 0..depth {
                out.push_str(&self.indent);
            }
        }
    }
}
