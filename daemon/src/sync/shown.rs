//! Edits of a text that a format shows a little different from what it is.
//!
//! A percent script shows a form feed as a line break, and no line break at the end of
//! code. What is edited there must not change the rest of the cell.

use std::ops::Range;

use super::lines::{hunks, lines, merge_lines};

/// What Python takes for the end of a line, besides `\r\n`.
const BREAKS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Makes an edit of what is `shown` of a text an edit of what it `is`, or returns `None`
/// if there is no telling.
///
/// `is_written` says whether the format would write a text as it stands there now.
pub(super) fn carry_over(
    shown: &str,
    edited: &str,
    is: &str,
    is_written: impl Fn(&String) -> bool,
) -> Option<String> {
    merge_lines(shown, edited, is)
        .or_else(|| with_breaks(shown, edited, is))
        .or_else(|| within_lines(shown, edited, is).filter(&is_written))
        .or_else(|| below_hidden(shown, edited, is).filter(&is_written))
}

/// The edit of a text with other line breaks, or more of them at the end.
fn with_breaks(shown: &str, edited: &str, is: &str) -> Option<String> {
    let (old, new) = (lines(shown), lines(edited));
    let parts = split(is);
    let last = old.len().checked_sub(1)?;
    let is_shown = old.len() <= parts.len()
        && old.iter().zip(&parts).all(|(line, (content, _))| line == content)
        && parts[old.len()..].iter().all(|(content, _)| content.trim().is_empty());
    if !is_shown || edited.is_empty() {
        return None;
    }
    let end: String =
        parts[old.len()..].iter().flat_map(|(content, end)| [*content, end]).collect();
    let origins = origins(&old, &new);
    let mut res = String::new();
    for (idx, line) in new.iter().enumerate() {
        res.push_str(line);
        if idx + 1 == new.len() {
            res.push_str(parts[last].1);
            res.push_str(&end);
        } else {
            let own = origins[idx].filter(|&origin| origin < last).map(|origin| parts[origin].1);
            res.push_str(own.filter(|own| !own.is_empty()).unwrap_or("\n"));
        }
    }
    Some(res)
}

/// The edit of a text of which parts of lines are not shown.
fn within_lines(shown: &str, edited: &str, is: &str) -> Option<String> {
    let (old, new, is) = (lines(shown), lines(edited), lines(is));
    if old.len() != is.len() || hunks(&old, &new).iter().any(|it| it.before.len() != it.after.len())
    {
        return None;
    }
    let merged = old.iter().zip(&new).zip(&is).map(|((old, new), is)| merge_line(old, new, is));
    Some(merged.collect::<Option<Vec<_>>>()?.join("\n"))
}

/// The edit of a text of which the first lines are not shown.
fn below_hidden(shown: &str, edited: &str, is: &str) -> Option<String> {
    let hidden = is.strip_suffix(shown).filter(|hidden| hidden.ends_with('\n'))?;
    Some(format!("{hidden}{edited}"))
}

/// Merges two changes of a line that don't overlap.
fn merge_line(old: &str, new: &str, is: &str) -> Option<String> {
    let (there, here) = (change(old, is), change(old, new));
    let ((first, its), (second, other)) =
        if there.0.start <= here.0.start { (there, here) } else { (here, there) };
    (first.end <= second.start).then(|| {
        let between = &old[first.end..second.start];
        format!("{}{its}{between}{other}{}", &old[..first.start], &old[second.end..])
    })
}

/// Returns what of a line is replaced, and with what.
fn change<'a>(old: &str, new: &'a str) -> (Range<usize>, &'a str) {
    let n_same = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
    };
    let start = n_same(&mut old.chars().zip(new.chars()));
    let end = n_same(&mut old[start..].chars().rev().zip(new[start..].chars().rev()));
    (start..old.len() - end, &new[start..new.len() - end])
}

/// For each new line the old one that it is, or that it stands in the place of.
fn origins(old: &[&str], new: &[&str]) -> Vec<Option<usize>> {
    let mut res = Vec::with_capacity(new.len());
    let mut done = 0;
    for hunk in hunks(old, new) {
        res.extend((done..hunk.before.start).map(Some));
        let n_old = hunk.before.len();
        res.extend((0..hunk.after.len()).map(|n| (n < n_old).then_some(hunk.before.start + n)));
        done = hunk.before.end;
    }
    res.extend((done..old.len()).map(Some));
    res
}

/// Splits a text as Python does: lines, each with what ends it.
fn split(text: &str) -> Vec<(&str, &str)> {
    let mut res = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(BREAKS) {
        let n_bytes = match &rest[at..] {
            end if end.starts_with("\r\n") => 2,
            end => end.chars().next().map_or(0, char::len_utf8),
        };
        res.push((&rest[..at], &rest[at..at + n_bytes]));
        rest = &rest[at + n_bytes..];
    }
    if !rest.is_empty() || res.is_empty() {
        res.push((rest, ""));
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shown: &str, edited: &str, is: &str, expected: Option<&str>) {
        // A heading loses one comment each time that it is read.
        let is_written = |text: &String| text.strip_prefix("# ") == Some(edited);
        let found = carry_over(shown, edited, is, is_written);
        assert_eq!(found.as_deref(), expected, "{shown:?} {edited:?} {is:?}");
    }

    #[test]
    fn line_breaks_stay_what_they_are() {
        check("x", "y", "x\n", Some("y\n"));
        check("x", "x\ny", "x\n\n", Some("x\ny\n\n"));
        check("a\nb", "a\nc", "a\u{c}b", Some("a\u{c}c"));
        check("a\nb\nc", "a\nB\nc", "a\r\nb\u{2028}c\u{85}", Some("a\r\nB\u{2028}c\u{85}"));
        check("a\nb", "x\na\nb", "a\u{c}b", Some("x\na\u{c}b"));
        check("a\nb", "b", "a\u{c}b", Some("b"));
        check("a\nb", "a\nb\nc", "a\u{c}b\n", Some("a\u{c}b\nc\n"));
        check("a", "", "a\n", None);
    }

    #[test]
    fn parts_of_lines_stay_if_the_text_is_written_so() {
        check("+ x", "+ y", "# + x", Some("# + y"));
        check("x\n+ x", "x\n+ y", "# x\n+ x", Some("# x\n+ y"));
        // It was read as a magic, and is none any more.
        assert_eq!(carry_over("Why?", "# Why not?", "# Why?", |_| false), None);
    }

    #[test]
    fn first_lines_that_are_not_shown_stay_if_the_text_is_written_so() {
        let carry = |is_written: bool| carry_over("x", "y", "%%\nx", |_| is_written);
        assert_eq!(carry(true).as_deref(), Some("%%\ny"));
        assert_eq!(carry(false), None);
        assert_eq!(carry_over("x", "y", "ax", |_| true).as_deref(), Some("ay"));
    }

    #[test]
    fn changes_of_a_line_merge_if_they_do_not_overlap() {
        assert_eq!(merge_line("x *)", "y *)", "x").as_deref(), Some("y"));
        assert_eq!(merge_line("é + x", "é + y", "# é + x").as_deref(), Some("# é + y"));
        assert_eq!(merge_line("ab", "xb", "ay").as_deref(), Some("xy"));
        assert_eq!(merge_line("abc", "axc", "ayc"), None);
    }

    #[test]
    fn other_lines_stay_what_they_are() {
        check("Why?\ntext", "Why?\nwords", "# Why?\ntext", Some("# Why?\nwords"));
        check("a\nb", "a\nc", "x\ny", None);
    }
}
