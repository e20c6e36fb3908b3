//! Jupyter magics in scripts: commented, so that the script stays valid in its
//! language, and uncommented on the way back (`jupytext: magics`).

use crate::languages;
use crate::lines::{is_space, trim, trim_end, trim_start};
use crate::string_scanner::StringScanner;

/// Which lines count as magics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Magics {
    /// All, commented or not: those of a script in which magics are comments.
    All,
    /// All but `name?`, which can also be prose outside of a cell.
    Unmistakable,
    /// Those that look like neither code nor prose: without aliases (`ls`, `#
    /// copy the data`) and `name?`.
    Unambiguous,
    /// Only those that end in `# escape`: those of a script that leaves magics
    /// as they are.
    Marked,
}

/// Commands that run in a notebook without `%`.
const ALIASES: [&str; 13] =
    ["cat", "cd", "cp", "mv", "rm", "rmdir", "mkdir", "copy", "ddir", "echo", "ls", "ldir", "ren"];

/// Comments the magics of a cell.
pub(crate) fn comment(source: &str, language: &str, magics: Magics) -> String {
    let mut lines: Vec<String> = source.split('\n').map(str::to_owned).collect();
    comment_lines(&mut lines, language, magics);
    lines.join("\n")
}

/// Takes the comment off the magics of a cell: the inverse of [`comment`].
///
/// But for what jupytext doesn't recognise again: an indented assignment
/// (`  x = !ls`) and an indented alias stay comments.
pub(crate) fn uncomment(source: &str, language: &str, magics: Magics) -> String {
    let mut lines: Vec<String> = source.split('\n').map(str::to_owned).collect();
    uncomment_lines(&mut lines, language, magics);
    lines.join("\n")
}

/// Comments magics in the lines of a cell.
pub(crate) fn comment_lines(lines: &mut [String], language: &str, magics: Magics) {
    let Some(comment) = comment_prefix(language) else { return };
    edit_lines(lines, language, magics, |line, is_continuation| {
        // The indentation of a continuation line is part of the command.
        let rest = if is_continuation { line } else { trim_start(line) };
        let indent = &line[..line.len() - rest.len()];
        format!("{indent}{comment} {rest}")
    });
}

/// Takes the comment off the magics in the lines of a cell.
pub(crate) fn uncomment_lines(lines: &mut [String], language: &str, magics: Magics) {
    edit_lines(lines, language, magics, |line, _| uncomment_line(line, language));
}

/// Takes one comment off a line, behind its indentation.
pub(crate) fn uncomment_line(line: &str, language: &str) -> String {
    let rest = trim_start(line);
    let indent = &line[..line.len() - rest.len()];
    let uncommented = comment_prefix(language)
        .and_then(|comment| rest.strip_prefix(comment))
        .map_or(rest, |rest| rest.strip_prefix(' ').unwrap_or(rest));
    format!("{indent}{uncommented}")
}

/// Whether a line is a magic, commented or not.
///
/// So that a comment which looks like a commented magic is commented once more,
/// and comes back as it was.
pub(crate) fn is_magic(line: &str, language: &str, magics: Magics) -> bool {
    Rules::of(language).is_some_and(|rules| rules.is_magic(line, magics))
}

/// What a magic looks like in a language.
#[derive(Debug, Clone, Copy)]
struct Rules {
    kind: Kind,
    comment: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Python,
    Rust,
    CSharp,
    Go,
    Other,
}

impl Rules {
    /// Returns those of a language, or `None` if nothing is a magic in it.
    fn of(language: &str) -> Option<Self> {
        let language = languages::usual_name(language);
        let kind = match language.as_str() {
            "matlab" | "jenner" | "logtalk" => return None,
            "python" => Kind::Python,
            "rust" => Kind::Rust,
            "csharp" => Kind::CSharp,
            "go" => Kind::Go,
            _ => Kind::Other,
        };
        Some(Self { kind, comment: languages::comment(&language)? })
    }

    fn is_magic(self, line: &str, magics: Magics) -> bool {
        let Self { kind, comment } = self;
        // Most lines of most notebooks.
        if matches!(kind, Kind::Python | Kind::Other)
            && !line.bytes().any(|byte| matches!(byte, b'%' | b'!' | b'?'))
        {
            let has_aliases = matches!(magics, Magics::All | Magics::Unmistakable);
            return kind == Kind::Python && has_aliases && is_alias(line);
        }
        let spaced = percent_magic(trim_start(line), comment);
        let (magic, forced) = match kind {
            // For these two, jupytext looks for `noescape` where it means `escape`.
            Kind::Rust | Kind::CSharp => {
                let magic = strip_comments(line, comment)
                    .strip_prefix(if kind == Kind::Rust { ":" } else { "#!" })
                    .and_then(strip_letter);
                (magic, magic.is_some_and(|rest| has_mark(rest, comment, "noescape")))
            }
            Kind::Go => {
                let rest = strip_comments(line, comment);
                let shell = rest.strip_prefix('!').map(|it| it.strip_prefix('*').unwrap_or(it));
                let magic = shell.and_then(strip_letter).or_else(|| percent_magic(line, comment));
                (magic, spaced.is_some_and(|rest| has_mark(rest, comment, "escape")))
            }
            Kind::Python | Kind::Other => {
                (spaced, spaced.is_some_and(|rest| has_mark(rest, comment, "escape")))
            }
        };
        if forced {
            return true;
        }
        let is_refused = spaced.is_some_and(|rest| has_mark(rest, comment, "noescape"));
        if magics == Magics::Marked || is_refused {
            return false;
        }
        magic.is_some()
            || (kind == Kind::Python
                && (is_python_magic(line, magics)
                    || (magics == Magics::All && is_help_suffix(line))))
    }
}

/// Whether a command goes on in the next line.
fn is_continued(line: &str) -> bool {
    trim_end(line).ends_with('\\')
}

fn edit_lines(
    lines: &mut [String],
    language: &str,
    magics: Magics,
    edit: impl Fn(&str, bool) -> String,
) {
    let Some(rules) = Rules::of(language) else { return };
    let mut scanner = StringScanner::new(language);
    let mut is_continuation = false;
    for line in lines {
        let mut edited = None;
        if !scanner.is_quoted() && (is_continuation || rules.is_magic(line, magics)) {
            edited = Some(edit(line, is_continuation));
            is_continuation = language == "python" && is_continued(line);
        }
        scanner.read_line(line);
        if let Some(edited) = edited {
            *line = edited;
        }
    }
}

/// The comment prefix of a language, also if it isn't named as in the table.
fn comment_prefix(language: &str) -> Option<&'static str> {
    languages::comment(language).or_else(|| languages::comment(&languages::usual_name(language)))
}

fn is_python_magic(line: &str, magics: Magics) -> bool {
    if magics == Magics::Unambiguous {
        // Behind its indentation: jupytext comments an indented assignment, but
        // doesn't find it again.
        return is_help_or_shell(line) || is_assignment(trim_start(line));
    }
    is_help_or_shell(line) || is_assignment(line) || is_alias(line)
}

/// `?name`, `!command`.
fn is_help_or_shell(line: &str) -> bool {
    let rest = trim_start(strip_comments(trim_start(line), "#"));
    rest.strip_prefix(['?', '!']).is_some_and(|rest| trim_start(rest).starts_with(is_command_start))
}

fn is_command_start(char: char) -> bool {
    char.is_ascii_alphabetic() || ".~$\\/{}".contains(char)
}

/// `name = %magic`, `name = !command`.
fn is_assignment(line: &str) -> bool {
    let rest = trim_start(strip_comments(line, "#"));
    let Some(rest) = strip_one(rest, |char| char.is_ascii_alphabetic() || char == '_') else {
        return false;
    };
    let rest = rest.trim_start_matches(|char: char| {
        char.is_ascii_alphanumeric() || char == '_' || char == '$'
    });
    let Some(rest) = trim_start(rest).strip_prefix('=') else { return false };
    let rest = trim_start(rest);
    let command = rest.strip_prefix('!').or_else(|| strip_percents(rest));
    command.and_then(strip_letter).is_some()
}

/// `name?`.
fn is_help_suffix(line: &str) -> bool {
    let mut rest = trim(line);
    if !rest.ends_with('?') {
        return false;
    }
    while let Some(inner) = rest.strip_prefix("# ") {
        rest = inner;
    }
    !rest.contains(is_space)
}

/// A shell command that runs as it is: `ls -l`, but not `ls = 3`.
fn is_alias(line: &str) -> bool {
    let rest = strip_comments(line, "#");
    ALIASES.iter().filter_map(|alias| rest.strip_prefix(alias)).any(|rest| {
        let mut chars = rest.chars();
        match chars.next() {
            None => true,
            Some(char) => is_space(char) && !matches!(chars.next(), Some('=' | ',')),
        }
    })
}

/// What follows the first letter of `%magic`, behind any number of comments.
fn percent_magic<'a>(text: &'a str, comment: &str) -> Option<&'a str> {
    strip_percents(strip_comments(text, comment)).and_then(strip_letter)
}

fn strip_comments<'a>(mut text: &'a str, comment: &str) -> &'a str {
    while let Some(rest) = text.strip_prefix(comment) {
        text = rest.strip_prefix(' ').unwrap_or(rest);
    }
    text
}

/// Strips one to three percent signs, if there are no more.
fn strip_percents(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('%');
    (1..=3).contains(&(text.len() - rest.len())).then_some(rest)
}

fn strip_letter(text: &str) -> Option<&str> {
    strip_one(text, |char| char.is_ascii_alphabetic())
}

fn strip_one(text: &str, pred: impl Fn(char) -> bool) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().is_some_and(pred).then_some(chars.as_str())
}

/// Whether a comment that starts with `mark` follows.
fn has_mark(text: &str, comment: &str, mark: &str) -> bool {
    text.match_indices(comment)
        .any(|(at, _)| trim_start(&text[at + comment.len()..]).starts_with(mark))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(language: &str, magics: &[&str], others: &[&str]) {
        for line in magics {
            assert!(is_magic(line, language, Magics::All), "{line} is a magic");
        }
        for line in others {
            assert!(!is_magic(line, language, Magics::All), "{line} is no magic");
        }
    }

    #[test]
    fn python_magics() {
        check(
            "python",
            &[
                "%matplotlib inline",
                "  %time x",
                "# %time",
                "##%time",
                "%%html5",
                "%%%x",
                "!ls",
                "# !ls",
                "#  ! ls",
                "?x",
                "x?",
                "# x?",
                "a.b.c??",
                "ls",
                "ls -l",
                "# ls ",
                "cd ..",
                "x = %time 3",
                "# x=!ls",
                "!./run",
                "! {cmd}",
                "?",
            ],
            &[
                "%",
                "% x",
                "%%%%x",
                "x = 3 % y",
                "ls = 3",
                "cat, x",
                "lsx",
                "a.b = !ls",
                "a, b = !ls",
                "x if y else z ?",
                "!",
                "!3",
                "! (x)",
                "",
                "# Why not?",
                "#x ?",
                "%time # noescape",
                " ls",
            ],
        );
    }

    #[test]
    fn magics_of_other_languages() {
        check("R", &["%x", "# %x"], &["!ls", "x?", "ls"]);
        check("r", &["%x"], &[]);
        check("c++", &["%x", "// %x", "//%%x"], &["# %x"]);
        check("rust", &[":dep x", "// :dep x"], &["%x", "  :dep"]);
        check("csharp", &["#!time", "// #!time"], &["%x", " #!time"]);
        check("C#", &["#!time"], &[]);
        check("go", &["!ls", "!*ls", "%x", "// %x"], &[" %x", "! ls"]);
        check("matlab", &[], &["%x", "% %x"]);
        check("octave", &[], &["%x"]);
        check("sas", &[], &["%x"]);
        check("cobol", &[], &["%x", "!ls"]);
    }

    #[test]
    fn marks_decide_over_the_setting() {
        assert!(is_magic("%time #escape", "python", Magics::Marked));
        assert!(is_magic("%time # x #  escape y", "python", Magics::Marked));
        assert!(!is_magic("%time", "python", Magics::Marked));
        assert!(!is_magic("!ls # escape", "python", Magics::Marked));
        assert!(is_magic("!ls # noescape", "python", Magics::All));
    }

    #[test]
    fn continuation_lines_are_commented_whole() {
        let source = "if x:\n    !ls \\\n  -l\ny";
        let commented = "if x:\n    # !ls \\\n#   -l\ny";
        assert_eq!(comment(source, "python", Magics::All), commented);
        assert_eq!(uncomment(commented, "python", Magics::All), source);
    }

    #[test]
    fn strings_are_left_alone() {
        let source = "x = '''\n%time\n'''\n# %y";
        assert_eq!(comment(source, "python", Magics::All), "x = '''\n%time\n'''\n# # %y");
    }

    proptest! {
        #[test]
        fn uncomment_is_the_inverse_of_comment(
            lines in prop::collection::vec(
                "((# ?){0,2}|  )(%x|!ls)( \\\\)?|(# ?){0,2}(y = %z|ls|z)|(# ){0,2}x\\?",
                0..6,
            ),
        ) {
            let source = lines.join("\n");
            prop_assert_eq!(uncomment(&comment(&source, "python", Magics::All), "python", Magics::All), source);
        }

        #[test]
        fn any_line_is_judged(line in ".{0,20}", language in "python|go|rust|R|ocaml|x") {
            is_magic(&line, &language, Magics::All);
        }
    }
}
