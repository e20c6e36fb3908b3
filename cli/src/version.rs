//! `NOTEBOOK@VERSION`, as it is typed.

use std::path::{Path, PathBuf};

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp, Zoned};
use nbsync_daemon::history::Rev;

use crate::error::CliError;

/// A notebook, and perhaps one of its versions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) path: PathBuf,
    pub(crate) rev: Option<Rev>,
}

impl Version {
    /// Reads `a.ipynb`, `a.ipynb@~2`, `a.ipynb@2h`.
    ///
    /// A name that exists is a name, whatever is in it.
    pub(crate) fn parse(typed: &Path) -> Result<Self, CliError> {
        let whole = || Self { path: typed.to_owned(), rev: None };
        let Some(text) = typed.to_str().filter(|_| !typed.exists()) else { return Ok(whole()) };
        match text.rsplit_once('@') {
            Some((path, rev)) if !path.is_empty() && !rev.contains('/') => {
                Ok(Self { path: path.into(), rev: Some(parse_rev(rev)?) })
            }
            _ => Ok(whole()),
        }
    }

    /// Reads `@~2`, or `~2`.
    pub(crate) fn parse_second(typed: &str) -> Result<Rev, CliError> {
        parse_rev(typed.strip_prefix('@').unwrap_or(typed))
    }

    /// The version, which has to be named.
    pub(crate) fn rev(&self) -> Result<Rev, CliError> {
        self.rev.clone().ok_or_else(|| {
            let path = self.path.display();
            CliError::usage(format!("which version of `{path}`?"))
                .hint(format!("`{path}@~1` is the one before the newest; `nbsync log` lists all"))
        })
    }
}

fn parse_rev(text: &str) -> Result<Rev, CliError> {
    rev(text, &Zoned::now()).ok_or_else(|| {
        CliError::usage(format!("`@{text}` does not name a version")).hint(
            "an id from `nbsync log` (`@kxqv`), a number of steps back (`@~2`), \
             an age (`@90min`, `@2h`, `@3d`) or a time (`@10:30`, `@2026-11-21`, \
             `@2026-11-21T10:30`)",
        )
    })
}

fn rev(text: &str, now: &Zoned) -> Option<Rev> {
    if text.is_empty() {
        return Some(Rev::Back(0));
    }
    if let Some(n) = text.strip_prefix('~') {
        return if n.is_empty() { Some(Rev::Back(1)) } else { n.parse().ok().map(Rev::Back) };
    }
    if text.chars().all(|c| ('k'..='z').contains(&c)) {
        return Some(Rev::Id(text.to_owned()));
    }
    let time = age(text).and_then(|age| now.timestamp().checked_sub(age).ok());
    let time = time.or_else(|| at(text, now))?;
    Some(Rev::At(u64::try_from(time.as_millisecond()).ok()?))
}

fn age(text: &str) -> Option<SignedDuration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let n: i64 = text[..end].parse().ok()?;
    let seconds = match &text[end..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return None,
    };
    Some(SignedDuration::from_secs(n.checked_mul(seconds)?))
}

/// A point in time. A day means its end, and a minute its end.
fn at(text: &str, now: &Zoned) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date.parse::<Date>().ok()?, Some(time)),
        None if text.contains(':') => (now.date(), Some(text)),
        None => (text.parse::<Date>().ok()?, None),
    };
    let start = match time {
        Some(time) => date.to_datetime(time.parse::<Time>().ok()?),
        None => date.to_datetime(Time::midnight()),
    };
    let seconds = match time.map(|it| it.matches(':').count()) {
        None => 24 * 3600,
        Some(1) => 60,
        Some(_) => 1,
    };
    let start = start.to_zoned(now.time_zone().clone()).ok()?;
    start.timestamp().checked_add(SignedDuration::from_millis(seconds * 1000 - 1)).ok()
}

/// A time for people, in their time zone.
pub(crate) fn show_time(time_ms: u64) -> String {
    match timestamp(time_ms) {
        Some(time) => {
            time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        None => "at an unknown time".to_owned(),
    }
}

/// A time for programs: RFC 3339, in UTC.
pub(crate) fn rfc3339(time_ms: u64) -> Option<String> {
    timestamp(time_ms).map(|time| format!("{time:.3}"))
}

fn timestamp(time_ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(time_ms).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: impl Into<Option<Rev>>) {
        let now: Zoned = "2026-11-21T10:30:00+00:00[UTC]".parse().expect("a time");
        assert_eq!(rev(text, &now), expected.into(), "{text}");
    }

    fn time(text: &str) -> Rev {
        let time: Timestamp = text.parse().expect("a time");
        Rev::At(u64::try_from(time.as_millisecond()).expect("after 1970"))
    }

    #[test]
    fn versions_are_named_by_steps_ids_ages_and_times() {
        check("", Rev::Back(0));
        check("~", Rev::Back(1));
        check("~12", Rev::Back(12));
        check("kxqv", Rev::Id("kxqv".to_owned()));
        check("2h", time("2026-11-21T08:30:00Z"));
        check("90min", time("2026-11-21T09:00:00Z"));
        check("3d", time("2026-11-18T10:30:00Z"));
        check("09:15", time("2026-11-21T09:15:59.999Z"));
        check("2026-11-20", time("2026-11-20T23:59:59.999Z"));
        check("2026-11-20T09:15:07", time("2026-11-20T09:15:07.999Z"));
        check("2026-11-20T09:15:07Z", time("2026-11-20T09:15:07Z"));
        for text in ["~x", "2x", "abc", "kxq1", "2026-13-01", "-1", "99999999999999999999d"] {
            check(text, None::<Rev>);
        }
    }

    #[test]
    fn a_name_with_an_at_sign_is_a_name_if_there_is_such_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mia@kz.py@~1");
        let parse = || Version::parse(&path).expect("a version");
        let rev = Some(Rev::Back(1));
        assert_eq!(parse(), Version { path: folder.path().join("mia@kz.py"), rev });
        std::fs::write(&path, "").expect("a file");
        assert_eq!(parse(), Version { path: path.clone(), rev: None });
    }
}
