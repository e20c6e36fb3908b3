//! The unit, and the names of its instances.

use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::CliError;

/// The unit as it is shipped, for a program where cargo installs it.
const TEMPLATE: &str = include_str!("../../../../systemd/nbsync@.service");

/// The program in [`TEMPLATE`].
const PROGRAM: &str = "%h/.cargo/bin/nbsync";

/// The unit for a program.
pub(super) fn text(program: &Path) -> Result<String, CliError> {
    let program = program.to_str().ok_or_else(|| {
        CliError::input(format!("the path of `{}` is not valid UTF-8", program.display()))
    })?;
    Ok(TEMPLATE.replace(PROGRAM, &quote(program)))
}

/// Writes a path as the program of an `ExecStart` (`man systemd.service`).
fn quote(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if path.chars().all(is_plain) {
        return path.to_owned();
    }
    let escaped: String = path
        .chars()
        .map(|c| match c {
            '\\' => "\\\\".to_owned(),
            '"' => "\\\"".to_owned(),
            '\n' => "\\n".to_owned(),
            '%' => "%%".to_owned(),
            // A variable can't name the program, so `$` stands for itself.
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// The name of the unit for a root, as `systemd-escape --path --template` makes
/// it.
pub(super) fn instance(root: &Utf8Path) -> String {
    format!("nbsync@{}.service", escape(root))
}

/// The root of a unit, if it is one of ours.
pub(super) fn root(unit: &str) -> Option<String> {
    let escaped = unit.strip_prefix("nbsync@")?.strip_suffix(".service")?;
    unescape(escaped)
}

fn escape(root: &Utf8Path) -> String {
    let path: Utf8PathBuf = root.components().skip(1).collect();
    if path.as_str().is_empty() {
        return "-".to_owned();
    }
    let bytes = path.as_str().bytes().enumerate();
    bytes
        .map(|(i, byte)| match byte {
            b'/' => "-".to_owned(),
            b'.' if i == 0 => "\\x2e".to_owned(),
            b':' | b'_' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                char::from(byte).to_string()
            }
            _ => format!("\\x{byte:02x}"),
        })
        .collect()
}

fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = vec![b'/'];
    let mut rest = escaped.as_bytes();
    if rest == b"-" {
        return Some("/".to_owned());
    }
    loop {
        rest = match rest {
            [] => return String::from_utf8(bytes).ok(),
            [b'-', rest @ ..] => {
                bytes.push(b'/');
                rest
            }
            [b'\\', b'x', high, low, rest @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let code = digit(*high)? * 16 + digit(*low)?;
                bytes.push(u8::try_from(code).ok()?);
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOTS: [&str; 7] = [
        "/",
        "/home/mia/notebooks",
        "/home/mia/my-notebooks v1.2",
        "/.hidden/.also",
        "/a:b_c/ä\u{1f40c}",
        "/back\\slash/%percent/\"quote\"",
        "/-",
    ];

    #[test]
    fn names_are_those_of_systemd_escape() {
        let by_hand = ["-", "home-mia-notebooks", "home-mia-my\\x2dnotebooks\\x20v1.2"];
        for (root, escaped) in ROOTS.iter().zip(by_hand) {
            assert_eq!(escape(Utf8Path::new(root)), escaped);
        }
        for root in ROOTS {
            let Ok(output) = std::process::Command::new("systemd-escape")
                .args(["--path", "--template=nbsync@.service", root])
                .output()
            else {
                // A machine without systemd has nothing to compare with.
                return;
            };
            let expected = String::from_utf8(output.stdout).unwrap();
            assert_eq!(instance(Utf8Path::new(root)), expected.trim_end());
        }
    }

    #[test]
    fn the_root_comes_back_from_the_name() {
        for expected in ROOTS {
            assert_eq!(root(&instance(Utf8Path::new(expected))).as_deref(), Some(expected));
        }
        assert_eq!(root("syncthing@mia.service"), None);
    }

    #[test]
    fn the_unit_starts_the_running_program() {
        let unit = text(Path::new("/opt/my tools/100%/nbsync")).unwrap();
        assert!(unit.contains("\nExecStart=\"/opt/my tools/100%%/nbsync\" watch %f\n"), "{unit}");
        let unit = text(Path::new("/usr/bin/nbsync")).unwrap();
        assert!(unit.contains("\nExecStart=/usr/bin/nbsync watch %f\n"), "{unit}");
    }
}
