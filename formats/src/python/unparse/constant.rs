//! Constants as Python's `repr` writes them.

use std::fmt::Write as _;

use ruff_python_ast::Number;

/// Writes a string.
pub(super) fn string(value: &str, out: &mut String) {
    let quote = quote(value.contains('\''), value.contains('"'));
    out.push(quote);
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => escape(u32::from(c), out),
        }
    }
    out.push(quote);
}

/// Writes bytes.
pub(super) fn bytes(value: impl Iterator<Item = u8>, out: &mut String) {
    let value: Vec<u8> = value.collect();
    let quote = quote(value.contains(&b'\''), value.contains(&b'"'));
    out.push('b');
    out.push(quote);
    for byte in value {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if char::from(byte) == quote => {
                out.push('\\');
                out.push(quote);
            }
            b' '..=b'~' => out.push(char::from(byte)),
            byte => escape(byte.into(), out),
        }
    }
    out.push(quote);
}

/// Writes a number.
pub(super) fn number(value: &Number, out: &mut String) {
    match value {
        Number::Int(int) => out.push_str(&int.to_string()),
        Number::Float(value) => out.push_str(&float(*value)),
        Number::Complex { imag, .. } => {
            let text = float(*imag);
            out.push_str(text.strip_suffix(".0").unwrap_or(&text));
            out.push('j');
        }
    }
}

/// The quote that needs no escapes, if there is one.
fn quote(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

fn escape(code: u32, out: &mut String) {
    // Writing to a string can't fail.
    let res = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    debug_assert!(res.is_ok());
}

/// Whether Python shows a character as it is.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    // Rust escapes what Python does, and at the start also marks that would
    // combine with the quote.
    let text = String::from_iter(['a', c]);
    text.escape_debug().eq(text.chars())
}

/// Writes a float with as few digits as tell it from others.
fn float(value: f64) -> String {
    if value.is_infinite() {
        // `ast.unparse` writes a literal that overflows.
        return "1e309".to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let text = value.to_string();
        if text.contains('.') { text } else { text + ".0" }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}
