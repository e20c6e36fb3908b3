//! Markdown cells: `mo.md(r"""..."""` with the text on lines of its own
//! (`marimo 0.25.2 codegen`).

use super::dedent::plain_dedent;
use crate::lines::{trim, trim_end};
use crate::python::scope::MarkdownCall;

/// What stands for two quotes in a row in a string that can't have them.
const TWO_QUOTES: &str = "{'\"\"'}";

/// Returns a text as marimo leaves it in a markdown cell when it saves.
pub(super) fn normalize(text: &str) -> String {
    saved(&format!("\n{text}"))
}

/// Returns the text of a string as marimo saves it. The first line is apart
/// from the others, because most strings have a line break there.
fn saved(value: &str) -> String {
    let lines: Vec<&str> = value.split('\n').map(trim_end).collect();
    let Some((first, rest)) = lines.split_first() else { return String::new() };
    let first = first.trim_start_matches([' ', '\t']);
    trim(&format!("{first}\n{}", plain_dedent(rest))).to_owned()
}

/// Returns the code of a markdown cell as marimo saves it, or `None` if marimo
/// leaves it alone.
pub(super) fn reprint(code: &str, call: &MarkdownCall) -> Option<String> {
    let text = saved(&call.value);
    if text.is_empty() {
        return None;
    }
    let string = &code[call.string.clone()];
    let mut prefix = String::new();
    for char in string.chars().take(2).take_while(|char| "rtfRTF".contains(*char)) {
        prefix.push(char);
    }
    let is_formatted = prefix.contains(['f', 'F']);
    let text = if is_formatted { text.replace('{', "{{").replace('}', "}}") } else { text };
    let text = text.replace("\"\"", "\"\\\"");
    let call_code = frame(&prefix, &text);
    Some(format!("{}{call_code}{}", &code[..call.range.start], &code[call.range.end..]))
}

/// Writes a text as the code of a markdown cell.
///
/// The code is of a form that marimo doesn't change when it saves, and that has
/// the text for its value. The usual form is a raw string, which can't hold two
/// quotes in a row: marimo's own way puts a backslash between them, which
/// becomes part of the text. So these make it an ordinary string, or an
/// f-string if there are backslashes too; `md_prefix` says which is preferred.
pub(super) fn print(text: &str, md_prefix: Option<&str>) -> String {
    let text = normalize(text);
    let has_backslash = text.contains('\\');
    let has_quotes = text.contains("\"\"");
    if text.is_empty() {
        frame("r", " ")
    } else if text.contains(is_break) || (has_quotes && has_backslash) {
        let mut res = String::with_capacity(text.len() + 16);
        for char in text.replace('{', "{{").replace('}', "}}").replace("\"\"", TWO_QUOTES).chars() {
            if is_break(char) {
                let number = u32::from(char).to_string();
                res.extend(["{chr(", &number, ")}"]);
            } else {
                res.push(char);
            }
        }
        frame("rf", &res)
    } else if has_quotes {
        frame("", &text.replace("\"\"", "\"\\\""))
    } else if md_prefix == Some("") && !has_backslash {
        frame("", &text)
    } else {
        frame("r", &text)
    }
}

/// Reads the code of a cell that is markdown: its text, and its `md_prefix` if
/// that isn't the usual one.
///
/// A cell is markdown if it is written as [`print`] would, or if that is what
/// marimo makes of it when it saves without changing the text: so the cell is
/// the same before and after.
pub(super) fn of_code(
    code: &str,
    call: impl FnOnce() -> Option<MarkdownCall>,
) -> Option<(String, Option<&'static str>)> {
    if !code.contains("mo.md(") {
        return None;
    }
    if let Some(res) = read(code) {
        return Some(res);
    }
    let call = call()?;
    let before = code.get(..call.string.start)?.trim_end();
    let after = code.get(call.string.end..)?.trim();
    let after = after.strip_prefix(',').map_or(after, str::trim_start);
    if before != "mo.md(" || after != ")" {
        return None;
    }
    read(&reprint(code, &call)?).filter(|(text, _)| *text == saved(&call.value))
}

fn read(code: &str) -> Option<(String, Option<&'static str>)> {
    let rest = code.strip_prefix("mo.md(")?;
    let quotes = rest.find('"')?;
    let (prefix, rest) = rest.split_at(quotes);
    let text = rest.strip_prefix("\"\"\"\n")?.strip_suffix("\n\"\"\")")?;
    if text.contains("\"\"\"") {
        return None;
    }
    match prefix {
        "r" if trim(text).is_empty() => Some((String::new(), None)),
        "r" => Some((text.to_owned(), None)),
        "" => {
            let text = text.replace("\"\\\"", "\"\"");
            if text.contains('\\') || trim(&text).is_empty() {
                return None;
            }
            let prefix = (!text.contains("\"\"")).then_some("");
            Some((text, prefix))
        }
        "rf" => {
            let text = read_formatted(text)?;
            (print(&text, None) == code).then_some((text, None))
        }
        _ => None,
    }
}

fn read_formatted(text: &str) -> Option<String> {
    let mut res = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        res.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{") {
            res.push('{');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("}}") {
            res.push('}');
            rest = after;
        } else if let Some(after) = rest.strip_prefix(TWO_QUOTES) {
            res.push_str("\"\"");
            rest = after;
        } else {
            let (number, after) = rest.strip_prefix("{chr(")?.split_once(")}")?;
            res.push(char::from_u32(number.parse().ok()?)?);
            rest = after;
        }
    }
    res.push_str(rest);
    Some(res)
}

fn frame(prefix: &str, text: &str) -> String {
    format!("mo.md({prefix}\"\"\"\n{text}\n\"\"\")")
}

/// Whether marimo's indentation takes a character for the end of a line, and
/// puts blanks behind it at every save.
fn is_break(char: char) -> bool {
    matches!(
        char,
        '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::python::scope;

    #[test]
    fn usual_text_is_a_raw_string() {
        assert_eq!(print("# A\n\n$\\alpha$", None), "mo.md(r\"\"\"\n# A\n\n$\\alpha$\n\"\"\")");
        assert_eq!(print("# A", Some("")), "mo.md(\"\"\"\n# A\n\"\"\")");
        assert_eq!(print("\\a", Some("")), "mo.md(r\"\"\"\n\\a\n\"\"\")");
        assert_eq!(print("", None), "mo.md(r\"\"\"\n \n\"\"\")");
    }

    #[test]
    fn blanks_that_marimo_strips_are_not_written() {
        assert_eq!(print("\n  a  \nb\t\n\n", None), "mo.md(r\"\"\"\na\nb\n\"\"\")");
    }

    #[test]
    fn two_quotes_need_another_string() {
        assert_eq!(print("a \"\"b\"\"", None), "mo.md(\"\"\"\na \"\\\"b\"\\\"\n\"\"\")");
        assert_eq!(print("\\a \"\"b {x}", None), "mo.md(rf\"\"\"\n\\a {'\"\"'}b {{x}}\n\"\"\")");
        assert_eq!(print("a\u{2028}b", None), "mo.md(rf\"\"\"\na{chr(8232)}b\n\"\"\")");
    }

    #[test]
    fn text_that_marimo_keeps_is_markdown_in_any_layout() {
        let check = |code: &str, expected: Option<&str>| {
            let shape = || scope::analyze(code, "0").unwrap().shape.markdown;
            assert_eq!(of_code(code, shape).map(|(text, _)| text).as_deref(), expected, "{code}");
        };
        check("mo.md('a')", Some("a"));
        check("mo.md(\n    r\"\"\"\n    a\n\n      b\n    \"\"\"\n)", Some("a\n\n  b"));
        check("mo.md(r'\\a',)", Some("\\a"));
        // marimo makes other text of these.
        check("mo.md('\\\\a')", None);
        check("mo.md(r'a \"\"b\"\"')", None);
        check("mo.md('a', x=1)", None);
        check("mo.md('a')  # c", None);
        check("mo.md(  # c\n'a')", None);
        check("mo.md(f'a')", None);
        check("mo.md('')", None);
    }

    #[test]
    fn other_code_is_no_markdown() {
        for code in [
            "mo.md(f\"\"\"\n{x}\n\"\"\")",
            "mo.md(rf\"\"\"\n{x}\n\"\"\")",
            "mo.md(\"\"\"\na\\tb\n\"\"\")",
            "mo.md(r\"\"\"\na\n\"\"\", x=1)",
            "mo.md(r\"\"\"\na\n\"\"\") # c",
            "mo.md(r\"\"\"\na\n\"\"\") + mo.md(r\"\"\"\nb\n\"\"\")",
            "mo.md(\"a\")",
        ] {
            assert_eq!(read(code), None, "{code}");
        }
    }

    proptest! {
        #[test]
        fn text_comes_back(text in "[a\"\\\\{}\u{2028} \n]{0,12}", plain in any::<bool>()) {
            let code = print(&text, plain.then_some(""));
            let (read, prefix) = read(&code).unwrap();
            prop_assert_eq!(&read, &normalize(&text));
            prop_assert_eq!(print(&read, prefix), code);
        }
    }
}
