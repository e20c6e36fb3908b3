//! Three-way merge of texts, line by line.

mod hunks;

use std::ops::Range;

pub(super) use hunks::hunks;

/// Merges two edits of a text, or returns `None` if they overlap.
///
/// Edits of neighbouring lines both stand. Two insertions at one place overlap,
/// as does an insertion at the edge of a replaced range: their order would be a
/// guess.
pub fn merge_lines(base: &str, ours: &str, theirs: &str) -> Option<String> {
    if ours == theirs || theirs == base {
        return Some(ours.to_owned());
    }
    if ours == base {
        return Some(theirs.to_owned());
    }
    // A last line without its newline would differ from the same line with one.
    let [base, ours, theirs] = [base, ours, theirs].map(lines);
    let our_hunks = hunks(&base, &ours);
    let their_hunks = hunks(&base, &theirs);

    let mut res: Vec<&str> = Vec::new();
    let mut done = 0;
    let (mut our_idx, mut their_idx) = (0, 0);
    loop {
        let hunk = match (our_hunks.get(our_idx), their_hunks.get(their_idx)) {
            (Some(our), Some(their)) if our.before == their.before => {
                let (our_lines, their_lines) =
                    (&ours[our.after.clone()], &theirs[their.after.clone()]);
                if our_lines != their_lines {
                    return None;
                }
                their_idx += 1;
                our_idx += 1;
                (our, our_lines)
            }
            (Some(our), Some(their)) if overlap(&our.before, &their.before) => return None,
            (Some(our), their)
                if their.is_none_or(|their| our.before.start < their.before.start) =>
            {
                our_idx += 1;
                (our, &ours[our.after.clone()])
            }
            (_, Some(their)) => {
                their_idx += 1;
                (their, &theirs[their.after.clone()])
            }
            (_, None) => break,
        };
        let (hunk, lines) = hunk;
        res.extend(&base[done..hunk.before.start]);
        res.extend(lines);
        done = hunk.before.end;
    }
    res.extend(&base[done..]);
    Some(res.join("\n"))
}

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineChange {
    /// Both texts have it.
    Same,
    /// Only the old text has it.
    Removed,
    /// Only the new text has it.
    Added,
    /// Lines that both texts have were left out here.
    Gap,
}

/// How many lines around a difference are shown.
const CONTEXT: usize = 3;

/// Returns the lines in which two texts differ, with some around them.
pub fn diff_lines<'a>(before: &'a str, after: &'a str) -> Vec<(LineChange, &'a str)> {
    let [old, new] = [before, after].map(|it| if it.is_empty() { Vec::new() } else { lines(it) });
    let mut res = Vec::new();
    let mut done = 0;
    let hunks = hunks(&old, &new);
    for hunk in &hunks {
        let same = &old[done..hunk.before.start];
        let (head, tail) =
            if done == 0 && res.is_empty() { (0, CONTEXT) } else { (CONTEXT, CONTEXT) };
        push_same(&mut res, same, head, tail);
        res.extend(old[hunk.before.clone()].iter().map(|it| (LineChange::Removed, *it)));
        res.extend(new[hunk.after.clone()].iter().map(|it| (LineChange::Added, *it)));
        done = hunk.before.end;
    }
    if !hunks.is_empty() {
        push_same(&mut res, &old[done..], CONTEXT, 0);
    }
    res
}

/// Pushes the first and the last of equal lines, and a gap for the rest.
fn push_same<'a>(res: &mut Vec<(LineChange, &'a str)>, same: &[&'a str], head: usize, tail: usize) {
    if same.len() <= head + tail {
        res.extend(same.iter().map(|it| (LineChange::Same, *it)));
        return;
    }
    res.extend(same[..head].iter().map(|it| (LineChange::Same, *it)));
    res.push((LineChange::Gap, ""));
    res.extend(same[same.len() - tail..].iter().map(|it| (LineChange::Same, *it)));
}

/// Whether two texts have a change of the base in common.
pub(super) fn shares_change(base: &str, ours: &str, theirs: &str) -> bool {
    let [base, ours, theirs] = [base, ours, theirs].map(lines);
    let their_hunks = hunks(&base, &theirs);
    hunks(&base, &ours).iter().any(|our| {
        their_hunks.iter().any(|their| {
            our.before == their.before && ours[our.after.clone()] == theirs[their.after.clone()]
        })
    })
}

/// Returns the lines of a text that the base doesn't have at their place.
pub(super) fn added_lines<'a>(base: &str, text: &'a str) -> Vec<&'a str> {
    let text = lines(text);
    hunks(&lines(base), &text).into_iter().flat_map(|hunk| text[hunk.after].to_vec()).collect()
}

/// Returns where places between lines of a text are in an edited text, or `None` if an edit
/// goes over one.
///
/// A place is the number of the line below it. What was inserted at it is above.
pub(super) fn carry_over(base: &str, text: &str, at: &[usize]) -> Option<Vec<usize>> {
    let hunks = hunks(&lines(base), &lines(text));
    let place = |at: usize| {
        let Some(hunk) = hunks.iter().rfind(|hunk| {
            hunk.before.start < at || hunk.before.is_empty() && hunk.before.start == at
        }) else {
            return Some(at);
        };
        if hunk.before.end <= at {
            return Some(hunk.after.end + (at - hunk.before.end));
        }
        // Line for line.
        (hunk.before.len() == hunk.after.len()).then(|| hunk.after.start + at - hunk.before.start)
    };
    at.iter().map(|at| place(*at)).collect()
}

/// Returns the lines of a text; there is always one.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    if a.is_empty() || b.is_empty() {
        // An insertion overlaps what it touches.
        a.start <= b.end && b.start <= a.end
    } else {
        a.start < b.end && b.start < a.end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One letter is one line.
    #[track_caller]
    fn check(base: &str, ours: &str, theirs: &str, expected: Option<&str>) {
        let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>().join("\n");
        let merged = merge_lines(&lines(base), &lines(ours), &lines(theirs));
        assert_eq!(merged, expected.map(lines), "{base} {ours} {theirs}");
    }

    #[test]
    fn edits_of_different_lines_both_stand() {
        check("abcde", "xbcde", "abcdy", Some("xbcdy"));
        check("abcde", "bcde", "abcdey", Some("bcdey"));
        check("ab", "xb", "ay", Some("xy"));
    }

    #[test]
    fn equal_edits_are_one() {
        check("abc", "axc", "axc", Some("axc"));
        check("abcde", "axcde", "axcdy", Some("axcdy"));
    }

    #[test]
    fn edits_of_one_line_overlap() {
        check("abc", "axc", "ayc", None);
        check("abc", "abxc", "abyc", None);
        check("abc", "ac", "axc", None);
    }

    #[test]
    fn places_are_carried_over() {
        let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>().join("\n");
        for (base, text, at, expected) in [
            ("abcd", "abcd", 2, Some(2)),
            ("abcd", "xabcd", 2, Some(3)),
            ("abcd", "abcdx", 2, Some(2)),
            ("abcd", "abxcd", 2, Some(3)),
            ("abcd", "abyd", 2, Some(2)),
            ("abcd", "aycd", 2, Some(2)),
            ("abcd", "axycd", 2, Some(3)),
            ("abcd", "axyd", 2, Some(2)),
            ("abcd", "acd", 2, Some(1)),
            ("abcd", "axd", 2, None),
            ("abcd", "d", 2, None),
        ] {
            assert_eq!(
                carry_over(&lines(base), &lines(text), &[at]),
                expected.map(|it| vec![it]),
                "{base} {text}"
            );
        }
    }

    proptest! {
        #[test]
        fn merging_is_symmetric(base in "[abc]{0,6}", ours in "[abcx]{0,6}", theirs in "[abcy]{0,6}") {
            let [base, ours, theirs] = [base, ours, theirs].map(|text| {
                text.chars().map(String::from).collect::<Vec<_>>().join("\n")
            });
            prop_assert_eq!(merge_lines(&base, &ours, &theirs), merge_lines(&base, &theirs, &ours));
            prop_assert_eq!(merge_lines(&base, &ours, &base), Some(ours));
        }
    }
}
