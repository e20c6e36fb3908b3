//! How many blank lines stand between two cells (`jupytext: pep8`).

use crate::lines::is_blank;
use crate::string_scanner::StringScanner;

/// Returns the number of blank lines between a cell and the lines that follow
/// it to the end of the file.
pub(super) fn blank_lines<'a>(
    cell: &[&str],
    following: impl Iterator<Item = &'a str> + Clone,
    extension: &str,
) -> usize {
    if following.clone().next().is_none() {
        1
    } else if cell.is_empty() {
        0
    } else if extension != ".py" {
        1
    } else if ends_with_definition(cell) {
        if has_code(following) { 2 } else { 1 }
    } else if ends_with_code(cell) && starts_with_definition(following) {
        2
    } else {
        1
    }
}

fn is_definition(line: &str) -> bool {
    ["def ", "async ", "class "].iter().any(|word| line.starts_with(word))
}

fn ends_with_definition(cell: &[&str]) -> bool {
    let mut scanner = StringScanner::new("python");
    let mut lines = Vec::new();
    for &line in cell {
        if !scanner.is_quoted() {
            lines.push(line);
        }
        scanner.read_line(line);
    }
    let mut is_below_blank = false;
    for line in lines.into_iter().rev() {
        if is_blank(line) {
            if is_below_blank {
                return false;
            }
            is_below_blank = true;
            continue;
        }
        is_below_blank = false;
        if !line.starts_with(['#', ' ', ')']) {
            return is_definition(line);
        }
    }
    false
}

fn ends_with_code(cell: &[&str]) -> bool {
    cell.last().is_some_and(|line| !is_blank(line) && !line.starts_with('#'))
}

fn starts_with_definition<'a>(following: impl Iterator<Item = &'a str>) -> bool {
    let mut scanner = StringScanner::new("python");
    let mut was_blank = false;
    for line in following {
        let is_quoted = scanner.is_quoted();
        scanner.read_line(line);
        let is_blank = is_blank(line);
        if is_quoted {
            was_blank = is_blank;
            continue;
        }
        if is_blank {
            if was_blank {
                return false;
            }
        } else if is_definition(line) {
            return true;
        } else if !line.starts_with(['#', '@', ' ', ')']) {
            return false;
        }
        was_blank = is_blank;
    }
    false
}

fn has_code<'a>(following: impl Iterator<Item = &'a str>) -> bool {
    let mut was_blank = false;
    for line in following {
        let line = crate::lines::trim(line);
        if line.starts_with('#') {
            was_blank = false;
            continue;
        }
        if !line.is_empty() {
            return true;
        }
        if was_blank {
            return false;
        }
        was_blank = true;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cell: &str, following: &str, expected: usize) {
        let cell: Vec<&str> = cell.lines().collect();
        assert_eq!(blank_lines(&cell, following.lines(), ".py"), expected, "{cell:?}");
    }

    #[test]
    fn definitions_are_set_apart() {
        check("def f():\n    pass", "# %%\nx", 2);
        check("def f():\n    pass", "# %% [markdown]\n# text", 1);
        check("x", "# %%\ndef f():", 2);
        check("x", "# %%\n@d\nclass A:", 2);
        check("x", "# %%\ny", 1);
        check("# text", "# %%\ndef f():", 1);
        check("x", "", 1);
        check("", "x", 0);
    }

    #[test]
    fn strings_and_blank_lines_hide_definitions() {
        check("x = '''\ndef f():\n'''", "# %%\nx", 1);
        check("def f():\n    pass\n\n\n# c", "# %%\nx", 1);
        check("x", "# %%\n\n\ndef f():", 1);
    }
}
