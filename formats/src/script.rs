//! PEP 723 blocks: the `# /// script` comment that declares dependencies.

use std::ops::Range;

/// What stands in a stored header in the place of the block.
pub(crate) const PLACEHOLDER: &str = "# /// script\n# ///";

/// Returns where the block of type `script` is, without its final newline.
///
/// As PEP 723's reference expression: from a line `# /// script` over lines that
/// are `#` or start with `# ` to the last line `# ///` that follows without a
/// gap. A text with two blocks has none, as the tools refuse it.
pub(crate) fn find(text: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut lines = lines(text);
    while let Some((start, line)) = lines.next() {
        if line != "# /// script" {
            continue;
        }
        let mut rest = lines.clone();
        let mut end = None;
        while let Some((at, line)) = rest.next() {
            if line == "# ///" {
                end = Some((at + line.len(), rest.clone()));
            } else if line != "#" && !line.starts_with("# ") {
                break;
            }
        }
        let Some((end, rest)) = end else { continue };
        if found.replace(start..end).is_some() {
            return None;
        }
        lines = rest;
    }
    found
}

/// Whether a cell holds the block and nothing else.
pub(crate) fn is_block(source: &str) -> bool {
    find(source).is_some_and(|block| {
        source[..block.start].trim().is_empty() && source[block.end..].trim().is_empty()
    })
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    let mut offset = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = offset;
        offset += line.len();
        (
            start,
            line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "# /// script\n# dependencies = [\"a\"]\n#\n# ///";

    #[test]
    fn block_is_found_between_other_lines() {
        let text = format!("#!/usr/bin/env python\n{BLOCK}\n\nimport a\n");
        assert_eq!(find(&text).map(|range| &text[range]), Some(BLOCK));
    }

    #[test]
    fn only_a_lone_block_is_a_cell_of_its_own() {
        assert!(is_block(BLOCK));
        assert!(is_block(&format!("\n{BLOCK}\n")));
        assert!(!is_block(&format!("{BLOCK}\nimport a")));
        assert!(!is_block("import a"));
    }

    #[test]
    fn unclosed_interrupted_and_double_blocks_are_none() {
        assert_eq!(find("# /// script\n# a = 1\n"), None);
        assert_eq!(find("# /// script\n\n# ///\n"), None);
        assert_eq!(find(&format!("{BLOCK}\n\n{BLOCK}\n")), None);
    }
}
