//! Which programs have to do with a file, as far as can be seen from outside.

use std::collections::BTreeSet;
use std::fs;

use camino::Utf8Path;

/// How many are named at most.
const MAX_NAMED: usize = 4;

/// Returns the processes that have a file open or name it in their command line, in words.
///
/// A guess for people: who writes a file and closes it leaves no trace. Processes of other
/// users are not seen.
pub(crate) fn processes(path: &Utf8Path) -> Vec<String> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found = BTreeSet::new();
    for process in all.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|it| it.parse::<u32>().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let folder = process.path();
        let Ok(line) = fs::read(folder.join("cmdline")) else { continue };
        let words: Vec<_> = line.split(|it| *it == 0).map(String::from_utf8_lossy).collect();
        let named = words.iter().any(|it| Utf8Path::new(it.as_ref()).ends_with(path));
        let opened = || {
            let files = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
            files.filter_map(|it| fs::read_link(it.path()).ok()).any(|it| it == path.as_std_path())
        };
        if named || opened() {
            let program = words.first().map_or("", |it| it.rsplit('/').next().unwrap_or_default());
            found.insert((pid, program.to_owned()));
        }
    }
    let found = found.into_iter().take(MAX_NAMED);
    found.map(|(pid, program)| format!("`{program}`, process {pid}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn process_that_has_a_file_open_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        let path = path.join("a.py");
        fs::write(&path, "").unwrap();
        // The name of a program is not to be seen before its first output.
        let mut child = Command::new("sh")
            .args(["-c", "echo; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::open(&path).unwrap())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let name = format!("`sh`, process {}", child.id());
        // A child that another test is starting has our files open too, until its `exec`.
        let found = processes(&path);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&name), "{found:?}");
        assert!(!processes(&path).contains(&name));
    }
}
