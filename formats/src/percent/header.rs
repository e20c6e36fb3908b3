//! What stands above the cells: shebang, coding line, and the YAML header
//! (`jupytext: header`).

use serde_json::{Map, Value};

use crate::languages::Script;
use crate::lines::{LineSpan, is_blank, is_space};
use crate::{ParseError, ParseErrorKind, yaml};

/// The top of a script.
#[derive(Debug, Clone, Default)]
pub(super) struct Header {
    /// The first line without `#!`, if it is a shebang.
    pub(super) executable: Option<String>,
    /// The coding line.
    pub(super) encoding: Option<String>,
    /// The lines of the YAML block, from `# ---` to `# ---`.
    pub(super) block: Option<Block>,
    /// The first line that belongs to a cell.
    pub(super) next: usize,
}

/// A YAML block in comments.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The closing line.
    pub(super) close: usize,
    /// Lines that aren't below `jupyter:`.
    pub(super) root: Vec<usize>,
    /// Lines from `jupyter:` on, with all that is indented behind it.
    pub(super) jupyter: Vec<usize>,
    /// What stands below `jupyter:`.
    pub(super) metadata: Map<String, Value>,
}

impl Header {
    /// Reads the top of a script.
    pub(super) fn parse(
        text: &str,
        lines: &[LineSpan],
        script: &Script,
    ) -> Result<Self, ParseError> {
        let line = |idx: usize| &text[lines[idx].content()];
        let error = |idx: usize, reason: String| {
            ParseError::at(text, lines[idx].start, ParseErrorKind::Header(reason))
        };
        let mut header = Self::default();
        let mut is_open = false;
        let mut close = None;
        let mut root = Vec::new();
        let mut jupyter = Vec::new();
        let mut in_jupyter = false;
        for idx in 0..lines.len() {
            let content = line(idx);
            if idx == 0
                && let Some(executable) = content.strip_prefix("#!")
            {
                header.executable = Some(executable.to_owned());
                header.next = 1;
                continue;
            }
            let may_be_coding = idx == 0 || (idx == 1 && coding(line(0), script).is_none());
            if may_be_coding && let Some(coding) = coding(content, script) {
                if !matches!(coding, "utf-8" | "UTF-8" | "utf8") {
                    return Err(error(idx, format!("the encoding `{coding}` is not supported")));
                }
                header.encoding = Some(content.to_owned());
                header.next = idx + 1;
                continue;
            }
            if !content.starts_with(script.comment) {
                break;
            }
            let content = uncomment(content, script);
            if is_rule(content) {
                if is_open {
                    close = Some(idx);
                    break;
                }
                is_open = true;
                continue;
            }
            if !is_open && !is_blank(content) {
                break;
            }
            if is_jupyter(content) {
                in_jupyter = true;
            } else if !content.is_empty() && !content.starts_with(is_space) {
                in_jupyter = false;
            }
            if in_jupyter { jupyter.push(idx) } else { root.push(idx) }
        }
        let Some(close) = close else { return Ok(header) };
        let mut metadata = Map::new();
        if !jupyter.is_empty() {
            let section: Vec<&str> =
                jupyter.iter().map(|&idx| uncomment(line(idx), script)).collect();
            let value = yaml::load(&section.join("\n")).map_err(|err| error(jupyter[0], err))?;
            match value.get("jupyter") {
                Some(Value::Object(map)) => metadata.clone_from(map),
                Some(Value::Null) | None => {}
                Some(_) => return Err(error(jupyter[0], "`jupyter` is not a mapping".to_owned())),
            }
        }
        header.next = close + 1;
        if header.next < lines.len() && is_blank(strip_comment(line(header.next), script)) {
            header.next += 1;
        }
        header.block = Some(Block { close, root, jupyter, metadata });
        Ok(header)
    }

    /// Returns what the lines outside of `jupyter:` say, if there are any.
    pub(super) fn root_metadata(
        &self,
        text: &str,
        lines: &[LineSpan],
        script: &Script,
    ) -> Result<Option<Value>, ParseError> {
        let root = self.block.as_ref().map(|block| block.root.as_slice()).unwrap_or_default();
        let Some(&first) = root.first() else { return Ok(None) };
        let contents = root.iter().map(|&idx| uncomment(&text[lines[idx].content()], script));
        let value = yaml::load(&contents.collect::<Vec<_>>().join("\n"))
            .map_err(|err| ParseError::at(text, lines[first].start, ParseErrorKind::Header(err)))?;
        Ok(Some(value))
    }

    /// Returns what stands below `jupyter:`, if there is such a section.
    pub(super) fn metadata(&self) -> Option<&Map<String, Value>> {
        self.block.as_ref().filter(|block| !block.jupyter.is_empty()).map(|block| &block.metadata)
    }
}

/// Takes comment prefix and suffix off a line of the header.
pub(super) fn uncomment<'a>(line: &'a str, script: &Script) -> &'a str {
    let line = strip_comment(line, script);
    if script.comment_suffix.is_empty() {
        return line;
    }
    let without_blank =
        line.strip_suffix(' ').and_then(|line| line.strip_suffix(script.comment_suffix));
    without_blank.or_else(|| line.strip_suffix(script.comment_suffix)).unwrap_or(line)
}

/// Whether a line opens or closes the block.
pub(super) fn is_rule(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(is_blank)
}

fn strip_comment<'a>(line: &'a str, script: &Script) -> &'a str {
    line.strip_prefix(script.comment).map_or(line, |line| line.strip_prefix(' ').unwrap_or(line))
}

/// Whether a line is `jupyter:`.
fn is_jupyter(line: &str) -> bool {
    line.strip_prefix("jupyter")
        .and_then(|rest| rest.trim_start_matches(is_space).strip_prefix(':'))
        .is_some_and(is_blank)
}

/// Returns the encoding that a line declares, by the rule of PEP 263.
fn coding<'a>(line: &'a str, script: &Script) -> Option<&'a str> {
    let comment = line.trim_start_matches([' ', '\t', '\u{c}']).strip_prefix(script.comment)?;
    comment.match_indices("coding").find_map(|(at, word)| {
        let rest = comment[at + word.len()..].strip_prefix([':', '='])?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && !"-_.".contains(char));
        Some(&rest[..end.unwrap_or(rest.len())]).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::languages;
    use crate::lines::line_spans;

    fn parse(text: &str, extension: &str) -> Result<Header, ParseError> {
        Header::parse(text, &line_spans(text), languages::by_extension(extension).unwrap())
    }

    #[test]
    fn block_has_root_level_and_jupyter_lines() {
        let text = "#!/bin/x\n# -*- coding: utf-8 -*-\n# ---\n# title: a\n# jupyter:\n#   k: 1\n#\n# \
                    z: 2\n# ---\n\nx\n";
        let header = parse(text, ".py").unwrap();
        assert_eq!(header.executable.as_deref(), Some("/bin/x"));
        assert_eq!(header.encoding.as_deref(), Some("# -*- coding: utf-8 -*-"));
        assert_eq!(header.next, 10);
        let block = header.block.unwrap();
        assert_eq!(block.close, 8);
        assert_eq!(block.root, [3, 7]);
        assert_eq!(block.jupyter, [4, 5, 6]);
        assert_eq!(Value::Object(block.metadata), json!({"k": 1}));
    }

    #[test]
    fn suffixes_are_taken_off() {
        let header = parse("(* --- *)\n(* jupyter: *)\n(*   k: 1 *)\n(* --- *)\n", ".ml").unwrap();
        assert_eq!(header.metadata().cloned().map(Value::Object), Some(json!({"k": 1})));
    }

    #[test]
    fn an_unclosed_block_is_no_header() {
        let header = parse("# ---\n# jupyter:\n#   k: 1\nx\n", ".py").unwrap();
        assert!(header.block.is_none());
        assert_eq!(header.next, 0);
    }

    #[test]
    fn bad_headers_name_the_line() {
        let err = parse("# ---\n# jupyter:\n#   a: [\n# ---\n", ".py").unwrap_err();
        assert_eq!(err.line, Some(2));
        assert!(parse("# coding: latin-1\nx\n", ".py").is_err());
    }
}
