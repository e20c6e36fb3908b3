//! Puts the files together that are one notebook.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;

use super::{ReplicaSpec, stem};
use crate::report::Role;

/// A notebook that was found, and what it says about others.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Where it is, relative to the root.
    pub path: &'a Utf8Path,
    /// Its format.
    pub format: FormatName,
    /// The pair that it says it is in.
    pub claim: Option<&'a Claim>,
}

/// Who says that files are one notebook; whoever comes first is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claimant {
    /// nbsync's configuration.
    Settings,
    /// The header of a script.
    Script,
    /// The metadata of an ipynb file.
    Ipynb,
    /// jupytext's configuration.
    Jupytext,
}

/// Files that are said to be one notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who says so.
    pub by: Claimant,
    /// The files, the source first. Some may not be there yet.
    pub members: Vec<(Utf8PathBuf, FormatName)>,
    /// Files that it names and that can't be kept in sync.
    pub left_out: Vec<Utf8PathBuf>,
    /// Why they can't, for the user.
    pub notes: Vec<String>,
}

/// Files that are one notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The files of the user, the source first.
    pub members: Vec<ReplicaSpec>,
    /// What the user should know about it.
    pub notes: Vec<String>,
    /// Why it can't be synced until somebody decides.
    pub problem: Option<String>,
}

impl Group {
    fn new(members: &[(Utf8PathBuf, FormatName)], notes: Vec<String>) -> Self {
        let member = |(idx, (path, format)): (usize, &(Utf8PathBuf, FormatName))| {
            let role = if idx == 0 { Role::Source } else { Role::Paired };
            ReplicaSpec::owned(path.clone(), *format, role)
        };
        Self { members: members.iter().enumerate().map(member).collect(), notes, problem: None }
    }

    /// The source.
    pub fn source(&self) -> &Utf8Path {
        self.members.first().map_or(Utf8Path::new(""), |member| &member.path)
    }
}

/// Puts together what belongs together: what a claim says, and each other file by
/// itself.
///
/// Nothing is guessed: claims that contradict each other, and notebooks that would have
/// the same shadows, have a problem.
pub fn group(found: &[Found<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of: BTreeMap<&Utf8Path, usize> = BTreeMap::new();
    let mut claims: Vec<(&Utf8Path, FormatName, &Claim)> =
        found.iter().filter_map(|it| Some((it.path, it.format, it.claim?))).collect();
    claims.sort_by_key(|(path, _, claim)| (claim.by, *path));
    let mut contradictions = Vec::new();
    for (path, format, claim) in claims {
        let taken: Vec<Option<usize>> =
            claim.members.iter().map(|(it, _)| group_of.get(it.as_path()).copied()).collect();
        if taken.iter().all(Option::is_none) {
            for (member, _) in &claim.members {
                group_of.insert(member, groups.len());
            }
            groups.push(Group::new(&claim.members, claim.notes.clone()));
        } else if taken.windows(2).any(|pair| pair[0] != pair[1]) && claim.by != Claimant::Jupytext
        {
            contradictions.push((path, format, taken.into_iter().flatten().next()));
        }
    }
    for (path, format, other) in contradictions {
        let Some(other) = other else { continue };
        let problem = format!(
            "`{path}` and `{}` do not say the same about which files are one notebook; correct `jupytext.formats` in one of them",
            groups[other].source()
        );
        if !group_of.contains_key(path) {
            group_of.insert(path, groups.len());
            let mut group = Group::new(&[(path.to_owned(), format)], Vec::new());
            group.problem = Some(problem.clone());
            groups.push(group);
        }
        groups[other].problem = Some(problem);
    }
    for it in found {
        if !group_of.contains_key(it.path) {
            let notes = it.claim.map(|claim| claim.notes.clone()).unwrap_or_default();
            groups.push(Group::new(&[(it.path.to_owned(), it.format)], notes));
        }
    }
    hold_namesakes(&mut groups);
    groups
}

/// Holds notebooks of one folder whose shadows would be the same files.
fn hold_namesakes(groups: &mut [Group]) {
    let mut namesakes: BTreeMap<(Utf8PathBuf, String), Vec<usize>> = BTreeMap::new();
    for (idx, group) in groups.iter().enumerate() {
        let source = group.source();
        let folder = source.parent().unwrap_or(Utf8Path::new("")).to_owned();
        namesakes.entry((folder, stem(source).to_owned())).or_default().push(idx);
    }
    for idxs in namesakes.into_values().filter(|idxs| 1 < idxs.len()) {
        let name =
            |&idx: &usize| format!("`{}`", groups[idx].source().file_name().unwrap_or_default());
        let mut names: Vec<String> = idxs.iter().map(name).collect();
        names.sort();
        let problem = format!(
            "{} have the same name, so their shadows would be the same files; rename one, `nbsync pair` them if they are one notebook, or `nbsync ignore` one",
            names.join(" and ")
        );
        for idx in idxs {
            groups[idx].problem.get_or_insert_with(|| problem.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(by: Claimant, members: &[&str]) -> Claim {
        let format = |path: &&str| {
            let path = Utf8PathBuf::from(*path);
            let is_ipynb = path.extension() == Some("ipynb");
            (path, if is_ipynb { FormatName::Ipynb } else { FormatName::Percent })
        };
        let members = members.iter().map(format).collect();
        Claim { by, members, left_out: Vec::new(), notes: Vec::new() }
    }

    /// The groups as text: members joined with `+`, and `!` for a problem.
    fn groups(found: &[(&str, Option<&Claim>)]) -> Vec<String> {
        let found: Vec<Found<'_>> = found
            .iter()
            .map(|(path, claim)| {
                let path = Utf8Path::new(path);
                let format = nbsync_format(path);
                Found { path, format, claim: *claim }
            })
            .collect();
        group(&found)
            .iter()
            .map(|group| {
                let paths: Vec<&str> = group.members.iter().map(|it| it.path.as_str()).collect();
                paths.join("+") + if group.problem.is_some() { "!" } else { "" }
            })
            .collect()
    }

    fn nbsync_format(path: &Utf8Path) -> FormatName {
        if path.extension() == Some("ipynb") { FormatName::Ipynb } else { FormatName::Percent }
    }

    #[test]
    fn the_same_name_in_one_folder_is_a_problem() {
        let res = groups(&[("x/a.ipynb", None), ("x/a.py", None), ("y/a.py", None)]);
        assert_eq!(res, ["x/a.ipynb!", "x/a.py!", "y/a.py"]);
    }

    #[test]
    fn what_is_claimed_is_one_notebook() {
        let script = claim(Claimant::Script, &["a.py", "a.ipynb"]);
        let ipynb = claim(Claimant::Ipynb, &["a.py", "a.ipynb"]);
        let res = groups(&[("a.ipynb", Some(&ipynb)), ("a.py", Some(&script)), ("b.py", None)]);
        assert_eq!(res, ["a.py+a.ipynb", "b.py"]);
        // A file that isn't there yet is a member, too.
        assert_eq!(groups(&[("a.ipynb", Some(&ipynb))]), ["a.py+a.ipynb"]);
    }

    #[test]
    fn the_metadata_of_a_file_come_before_the_configuration() {
        let own = claim(Claimant::Ipynb, &["s/a.py", "a.ipynb"]);
        let config = claim(Claimant::Jupytext, &["a.py", "a.ipynb"]);
        let res = groups(&[("a.ipynb", Some(&own)), ("a.py", Some(&config))]);
        assert_eq!(res, ["s/a.py+a.ipynb", "a.py"]);
    }

    #[test]
    fn contradictions_are_held() {
        let script = claim(Claimant::Script, &["a.py", "b.ipynb"]);
        let ipynb = claim(Claimant::Ipynb, &["a.py", "a.ipynb"]);
        let res = groups(&[("a.ipynb", Some(&ipynb)), ("a.py", Some(&script))]);
        assert_eq!(res, ["a.py+b.ipynb!", "a.ipynb!"]);
        // Somebody has said what is right.
        let settings = claim(Claimant::Settings, &["a.py", "a.ipynb"]);
        let res = groups(&[("a.ipynb", Some(&settings)), ("a.py", Some(&settings))]);
        assert_eq!(res, ["a.py+a.ipynb"]);
    }
}
