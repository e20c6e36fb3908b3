//! Durations and sizes as people write them.

use std::time::Duration;

/// Reads `250ms`, `1.5s`, `2min`, `12h` or `30d`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" => number,
        "min" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 24.0 * 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads `64MB`, `1.5 GiB` or `4096`: thousands, or with an `i` powers of 1024.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number * factor;
    // From there on not every whole number has a float.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    (bytes <= 9e15).then_some(bytes as u64)
}

/// Splits a number without sign or exponent from its unit.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..end].parse().ok()?;
    Some((number, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("30ms"), Some(Duration::from_millis(30)));
        assert_eq!(duration("1.5 s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2min"), Some(Duration::from_mins(2)));
        assert_eq!(duration("30d"), Some(Duration::from_hours(720)));
        for text in ["", "30", "s", "-1s", "1e9s", "1.2.3s", "1w", "99999999999999999999999s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_thousands_or_powers_of_two() {
        assert_eq!(size("64MB"), Some(64_000_000));
        assert_eq!(size("64 MiB"), Some(64 << 20));
        assert_eq!(size("1.5k"), Some(1500));
        assert_eq!(size("4096"), Some(4096));
        for text in ["", "MB", "-1", "1TBs", "99999999999999999999", "é"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
