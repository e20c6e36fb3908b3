//! Takes the indentation off the code of a cell (`marimo 0.25.2 dedent`).
//!
//! Not as simple as it sounds: the lines of a multi-line string have been
//! indented with the code around them, unless they stand further to the left
//! than the code, in which case they were never indented.

use std::borrow::Cow;

use super::tokens::{TokenKind, tokenize};
use crate::lines::{is_blank, trim_start};

/// Returns the text without the indentation that its lines share.
///
/// Lines of code that stand too far to the left are taken as if they started
/// where the first one does, and one line break at the end is dropped.
pub(super) fn dedent(text: &str) -> String {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let tokens = quoted_lines(&lines);
    let is_tokenized = tokens.is_some();
    let quoted = tokens.unwrap_or_else(|| vec![false; lines.len()]);
    if lines.len() > 1 && lines.last() == Some(&"") {
        lines.pop();
    }
    let first = lines.iter().zip(&quoted).find(|(line, quoted)| !**quoted && !is_blank(line));
    let Some((first, _)) = first else {
        return plain_dedent(&text.split('\n').collect::<Vec<_>>());
    };
    let indent = &first[..first.len() - trim_start(first).len()];
    if indent.is_empty() && is_tokenized {
        return smart_dedent(&lines, &quoted);
    }
    let mut refilled: Vec<Cow<'_, str>> = Vec::with_capacity(lines.len());
    let mut has_moved = false;
    for (line, &quoted) in lines.iter().zip(&quoted) {
        if quoted || line.starts_with(indent) {
            refilled.push(Cow::Borrowed(line));
        } else {
            has_moved |= !is_empty(line) || !is_empty(indent);
            refilled.push(Cow::Owned(format!("{indent}{line}")));
        }
    }
    if is_tokenized && !has_moved {
        // Blanks in blank lines make no other tokens.
        return smart_dedent(&refilled, &quoted);
    }
    let refilled: Vec<&str> = refilled.iter().map(AsRef::as_ref).collect();
    match quoted_lines(&refilled) {
        Some(quoted) => smart_dedent(&refilled, &quoted),
        None => plain_dedent(&refilled),
    }
}

fn smart_dedent<T: AsRef<str>>(lines: &[T], quoted: &[bool]) -> String {
    let width = |line: &str| line[..line.len() - trim_start(line).len()].chars().count();
    let all = lines.iter().map(AsRef::as_ref).zip(quoted);
    let code = all.filter(|(line, quoted)| !**quoted && !is_blank(line));
    let shift = code.map(|(line, _)| width(line)).min().unwrap_or(0);
    let mut res = String::with_capacity(lines.iter().map(|line| line.as_ref().len() + 1).sum());
    let mut idx = 0;
    while idx < lines.len() {
        let run = quoted[idx..].iter().take_while(|quoted| **quoted).count().max(1);
        let block = &lines[idx..(idx + run).min(lines.len())];
        let mut texts = block.iter().map(AsRef::as_ref);
        let keeps = quoted[idx] && texts.any(|line| !is_blank(line) && width(line) < shift);
        for line in block {
            let line = line.as_ref();
            if !res.is_empty() || idx > 0 {
                res.push('\n');
            }
            res.push_str(if keeps { line } else { strip_blanks(line, shift) });
            idx += 1;
        }
    }
    res
}

/// Strips up to `n` blanks and tabs.
fn strip_blanks(line: &str, n: usize) -> &str {
    let n_blanks = line.bytes().take(n).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &line[n_blanks..]
}

/// Whether there is nothing but blanks and tabs in a line.
fn is_empty(line: &str) -> bool {
    line.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// As Python's `textwrap.dedent`.
pub(super) fn plain_dedent(lines: &[&str]) -> String {
    let mut margin: Option<&str> = None;
    for line in lines.iter().filter(|line| !is_empty(line)) {
        let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        margin = Some(match margin {
            None => indent,
            Some(margin) => {
                let n = margin.bytes().zip(indent.bytes()).take_while(|(a, b)| a == b).count();
                &margin[..n]
            }
        });
    }
    let margin = margin.unwrap_or("");
    let lines = lines
        .iter()
        .map(|line| if is_empty(line) { "" } else { line.strip_prefix(margin).unwrap_or(line) });
    lines.collect::<Vec<_>>().join("\n")
}

/// Says of each line whether it starts inside a string, or `None` if the text
/// can't be cut into tokens.
pub(super) fn quoted_lines(lines: &[&str]) -> Option<Vec<bool>> {
    let mut quoted = vec![false; lines.len()];
    let res = tokenize(lines, |token| {
        if token.kind == TokenKind::String {
            quoted[token.line + 1..=token.last_line].fill(true);
        }
    });
    res.is_ok().then_some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(dedent(text), expected, "{text:?}");
    }

    #[test]
    fn code_loses_its_indentation() {
        check("    x = 1\n    if x:\n        y\n", "x = 1\nif x:\n    y");
        check("    x\n\n    y\n\n", "x\n\ny\n");
        check("x\n  y", "x\n  y");
        check("\tx\n\ty", "x\ny");
    }

    #[test]
    fn lines_too_far_left_are_moved_in() {
        check("    x = [\n1,\n    ]\n# c\n", "x = [\n1,\n]\n# c");
    }

    #[test]
    fn strings_are_moved_with_the_code_if_they_can_be() {
        check("    x = '''\n    a\n      b\n    '''\n", "x = '''\na\n  b\n'''");
        check("    x = '''\n  a\n      b\n    '''\n", "x = '''\n  a\n      b\n    '''");
        check("    x = 'a\\\n      b'\n", "x = 'a\\\n  b'");
    }

    #[test]
    fn blank_lines_lose_the_indentation_if_they_have_it() {
        check("    x\n  \n    \n      \n\n    y", "x\n  \n\n  \n\ny");
    }

    #[test]
    fn text_that_is_no_python_is_dedented_like_prose() {
        check("    x = (\n      y\n   \n", "x = (\n  y\n");
        check("  \n", "\n");
        check("", "");
    }
}
