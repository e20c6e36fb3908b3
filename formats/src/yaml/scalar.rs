//! What plain scalars mean in YAML 1.1, as PyYAML resolves them.

use serde_json::Value;

use crate::python_json;

/// Returns what a plain scalar stands for.
///
/// Dates stay strings: no notebook can hold them.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        _ if is_integer(text) => integer(text).map_or_else(|| Value::from(text), Value::Number),
        _ if is_float(text) => float(text).map_or_else(|| Value::from(text), Value::Number),
        _ => Value::from(text),
    }
}

/// Whether a plain scalar with this text is a string.
pub(super) fn is_string(text: &str) -> bool {
    resolve(text).is_string()
        && !is_integer(text)
        && !is_float(text)
        && !is_timestamp(text)
        && !matches!(text, "=" | "<<")
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, pred: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(pred)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

fn is_decimal(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_digit()) && all(text, is_digit)
}

/// `[0-9]+` groups of at most 59 behind colons.
fn is_sexagesimal(text: &str) -> bool {
    let Some((first, rest)) = text.split_once(':') else { return false };
    is_decimal(first)
        && rest.split(':').all(|part| match part.as_bytes() {
            [digit] | [b'0'..=b'5', digit] => digit.is_ascii_digit(),
            _ => false,
        })
}

fn is_integer(text: &str) -> bool {
    let text = unsigned(text);
    if let Some(digits) = text.strip_prefix("0b") {
        return all(digits, |byte| matches!(byte, b'0' | b'1' | b'_'));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, |byte| byte.is_ascii_hexdigit() || byte == b'_');
    }
    if let Some(digits) = text.strip_prefix('0') {
        return digits.is_empty() || all(digits, |byte| matches!(byte, b'0'..=b'7' | b'_'));
    }
    is_decimal(text) || is_sexagesimal(text)
}

fn is_float(text: &str) -> bool {
    let body = unsigned(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, rest)) = body.split_once('.') else { return false };
    if is_sexagesimal(whole) {
        return rest.bytes().all(is_digit);
    }
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let has_exponent = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|digits| all(digits, |it| it.is_ascii_digit()))
    });
    let has_digits = if whole.is_empty() {
        body.len() == text.len() && is_decimal(fraction)
    } else {
        is_decimal(whole) && fraction.bytes().all(is_digit)
    };
    has_digits && has_exponent
}

fn is_timestamp(text: &str) -> bool {
    let Some((year, rest)) = text.split_at_checked(4) else { return false };
    if !all(year, |byte| byte.is_ascii_digit()) {
        return false;
    }
    let Some((month, rest)) = strip_digits(rest, '-') else { return false };
    let Some((day, rest)) = strip_digits(rest, '-') else { return false };
    if rest.is_empty() {
        return month == 2 && day == 2;
    }
    let time = match rest.strip_prefix(['T', 't']) {
        Some(time) => time,
        None => match rest.trim_start_matches([' ', '\t']) {
            time if time.len() < rest.len() => time,
            _ => return false,
        },
    };
    let n_digits = time.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if n_digits == 0 {
        return false;
    }
    let Some((2, rest)) = strip_digits(&time[n_digits..], ':') else { return false };
    let Some((2, rest)) = strip_digits(rest, ':') else { return false };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|char: char| char.is_ascii_digit()),
        None => rest,
    };
    let zone = rest.trim_start_matches([' ', '\t']);
    if rest.is_empty() || zone == "Z" {
        return true;
    }
    let Some(zone) = zone.strip_prefix(['-', '+']) else { return false };
    let (hours, minutes) = zone.split_once(':').map_or((zone, "00"), |it| it);
    matches!(hours.len(), 1 | 2)
        && minutes.len() == 2
        && all(hours, |byte| byte.is_ascii_digit())
        && all(minutes, |byte| byte.is_ascii_digit())
}

/// Strips a separator and one or two digits; returns how many there were.
fn strip_digits(text: &str, separator: char) -> Option<(usize, &str)> {
    let text = text.strip_prefix(separator)?;
    let n_digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    (n_digits > 0).then(|| (n_digits, &text[n_digits..]))
}

fn integer(text: &str) -> Option<serde_json::Number> {
    let digits = unsigned(text).replace('_', "");
    let is_plain = !digits.contains(['x', 'b', ':']) && (digits == "0" || !digits.starts_with('0'));
    let digits = if is_plain {
        // Integers have no limit in Python.
        digits
    } else if let Some(digits) = digits.strip_prefix("0x") {
        i128::from_str_radix(digits, 16).ok()?.to_string()
    } else if let Some(digits) = digits.strip_prefix("0b") {
        i128::from_str_radix(digits, 2).ok()?.to_string()
    } else if digits.contains(':') {
        let parts = digits.split(':').map(|part| part.parse::<i128>().ok());
        parts.reduce(|sum, part| sum?.checked_mul(60)?.checked_add(part?)).flatten()?.to_string()
    } else {
        i128::from_str_radix(&digits, 8).ok()?.to_string()
    };
    let sign = if text.starts_with('-') && digits != "0" { "-" } else { "" };
    format!("{sign}{digits}").parse().ok()
}

/// `None` also for the infinities, which JSON doesn't have.
fn float(text: &str) -> Option<serde_json::Number> {
    let digits = unsigned(text).replace('_', "");
    let value = if digits.contains(':') {
        let parts = digits.split(':').map(|part| part.parse::<f64>().ok());
        parts.reduce(|sum, part| Some(sum? * 60.0 + part?)).flatten()?
    } else {
        digits.parse::<f64>().ok()?
    };
    let value = if text.starts_with('-') { -value } else { value };
    value.is_finite().then(|| python_json::float(value).parse().ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_mean_what_they_do_in_yaml_1_1() {
        for (text, expected) in [
            ("0x1f", json!(31)),
            ("017", json!(15)),
            ("1_000", json!(1000)),
            ("190:20:30", json!(685_230)),
            ("-0b11", json!(-3)),
            ("1e3", json!("1e3")),
            ("0o7", json!("0o7")),
            ("08", json!("08")),
            ("yes", json!(true)),
            ("y", json!("y")),
            ("~", json!(null)),
            ("2020-01-01", json!("2020-01-01")),
        ] {
            assert_eq!(resolve(text), expected, "{text}");
        }
        assert_eq!(resolve("1.0e+3").to_string(), "1000.0");
        assert_eq!(resolve(".5").to_string(), "0.5");
        assert_eq!(resolve("1.").to_string(), "1.0");
    }

    #[test]
    fn strings_that_need_quotes() {
        for text in [
            "1",
            "1.3",
            "1_0",
            "12:30:45",
            "2020-01-01",
            "2020-1-1 1:00:00 +1",
            ".inf",
            "=",
            "<<",
            "",
            "no",
            "0x1f",
            "-.INF",
            "1:20.5",
        ] {
            assert!(!is_string(text), "{text}");
        }
        for text in ["1e3", "2020-1-1", "12:60", "0o7", "a", "1.2.3", "+", ".", "y", "1 2"] {
            assert!(is_string(text), "{text}");
        }
    }
}
