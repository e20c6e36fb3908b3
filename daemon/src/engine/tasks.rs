//! Answers what can be asked about the history and conflicts, and does what it takes.

use std::sync::Arc;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::oneshot;

use super::Engine;
use super::flush::MAX_WAIT;
use super::restore::Refusal;
use crate::control::{Command, Reply};
use crate::disk::Lock;
use crate::history;
use crate::store::Store;

/// A request that waits until everything that was saved before it is propagated.
pub(super) struct WaitingTask {
    command: Command,
    pub(super) paths: Vec<Utf8PathBuf>,
    reply: oneshot::Sender<Reply>,
    /// When it is done in any case.
    pub(super) until: Instant,
}

impl Engine {
    /// Answers from the history, on a thread of its own if the engine has others to serve.
    pub(super) fn look_up(&mut self, command: Command, reply: oneshot::Sender<Reply>) {
        self.commit();
        let store = Arc::clone(&self.parts.store);
        let root = self.parts.tree.root().to_owned();
        let answer = move || {
            // The client may have gone; then nobody waits for an answer.
            reply.send(look_up(store.as_ref(), &root, &command)).ok();
        };
        if !self.threads {
            answer();
            return;
        }
        let spawned = std::thread::Builder::new().name("history".to_owned()).spawn(answer);
        if let Err(err) = spawned {
            tracing::warn!("cannot look up the history: {err}");
        }
    }

    pub(super) fn add_task(
        &mut self,
        command: Command,
        reply: oneshot::Sender<Reply>,
        now: Instant,
    ) {
        let paths = self.relative(command.paths());
        self.look(&paths, now);
        self.tasks.push(WaitingTask { command, paths, reply, until: now + MAX_WAIT });
        self.do_tasks(now);
    }

    /// Does what has waited long enough.
    pub(super) fn do_tasks(&mut self, now: Instant) {
        let mut waiting = Vec::new();
        for task in std::mem::take(&mut self.tasks) {
            if now < task.until && !self.is_still() && self.is_busy(&task.paths, now) {
                waiting.push(task);
                continue;
            }
            let reply = self.carry_out(&task.command, now);
            task.reply.send(reply).ok();
        }
        self.tasks.extend(waiting);
    }

    /// Does what a request asks for, now.
    pub(crate) fn carry_out(&mut self, command: &Command, now: Instant) -> Reply {
        let root = self.parts.tree.root().to_owned();
        let relative = |path: &Utf8Path| path.strip_prefix(&root).unwrap_or(path).to_owned();
        let done = match command {
            Command::Restore { path, rev } => {
                let path = relative(path);
                self.restore(&path, rev, now)
            }
            Command::Undo { path } => {
                let path = path.as_deref().map(&relative);
                self.undo(path.as_deref(), now)
            }
            Command::Resolve { path, cell, take } => {
                let path = relative(path);
                self.resolve(&path, *cell, *take, now)
            }
            Command::Conflicts { paths } => {
                let paths = self.relative(paths);
                return Reply::Conflicts(self.conflicts(&paths));
            }
            Command::Diff { path, before, after } => {
                self.commit();
                let limit = self.parts.config.max_size;
                let found = self.parts.disk.read(path, limit, Lock::None).ok();
                let text = found.and_then(|it| String::from_utf8(it.bytes).ok());
                let (path, store) = (relative(path), self.parts.store.as_ref());
                let found = history::diff(store, &path, before, after.as_ref(), text.as_deref());
                return match found {
                    Ok(report) => Reply::Diff(Box::new(report)),
                    Err(err) => Refusal::from(err).into(),
                };
            }
            command => return look_up(self.parts.store.as_ref(), self.parts.tree.root(), command),
        };
        match done {
            Ok(report) => Reply::Changed(Box::new(report)),
            Err(refusal) => refusal.into(),
        }
    }
}

/// Answers from the history alone.
pub(crate) fn look_up(store: &dyn Store, root: &Utf8Path, command: &Command) -> Reply {
    let relative = |path: &Utf8PathBuf| path.strip_prefix(root).unwrap_or(path).to_owned();
    let found = match command {
        Command::Log { paths, limit } => {
            let mut paths: Vec<Utf8PathBuf> = paths.iter().map(relative).collect();
            if paths.iter().any(|path| path.as_str().is_empty()) {
                // The root itself is everything.
                paths.clear();
            }
            history::log(store, &paths, *limit).map(Reply::Log)
        }
        Command::Show { path, rev, to } => history::show(store, &relative(path), rev, *to)
            .map(|shown| Reply::Shown(Box::new(shown))),
        command => {
            return Reply::Error { message: format!("cannot look up {command:?}") };
        }
    };
    found.unwrap_or_else(|err| Refusal::from(err).into())
}
