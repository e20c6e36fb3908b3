mod systemctl;
mod unit;

use std::fs;
use std::io;
use std::path::PathBuf;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use serde::Serialize;

use self::systemctl::Systemctl;
use super::Outcome;
use crate::arguments::Global;
use crate::context::{Target, dirs};
use crate::error::CliError;
use crate::replace;
use crate::ui::{self, ATTENTION, GOOD, PLAIN, QUIET, Table};

/// Watch a folder in the background, from login on
///
/// Uses the systemd of the user, without root. The daemon's messages are in the
/// journal: `journalctl --user -u 'nbsync@*'`.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ServiceArgs {
    #[command(subcommand)]
    command: ServiceCommand,
}

#[derive(Debug, Subcommand)]
enum ServiceCommand {
    /// Install the service for a folder, and start it
    ///
    /// Writes the unit `nbsync@.service` for the running `nbsync` to
    /// `$XDG_CONFIG_HOME/systemd/user/`, enables it for the folder, and starts it.
    Install {
        /// The folder [default: what `--root` says]
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,

        /// Change nothing, and show what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop the service of a folder, and uninstall it
    ///
    /// Notebooks, shadows and history stay where they are.
    Uninstall {
        /// The folder [default: what `--root` says]
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,

        /// Change nothing, and show what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the services that are installed, and whether they run
    ///
    /// Exits with 1 if one of them does not run.
    Status {
        /// Only show the service of this folder
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,

        /// Print the services as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(global: &Global, args: &ServiceArgs) -> Result<Outcome, CliError> {
    let folder = Utf8PathBuf::from("systemd/user");
    let folder = dirs()?.config.parent().map(|config| config.join(&folder)).unwrap_or(folder);
    let units = Units { folder };
    match &args.command {
        ServiceCommand::Install { dir, dry_run } => {
            let root = root(global, dir.as_ref())?;
            units.install(&root, &Systemctl::new(*dry_run)?, global.quiet)
        }
        ServiceCommand::Uninstall { dir, dry_run } => {
            let root = root(global, dir.as_ref())?;
            units.uninstall(&root, &Systemctl::new(*dry_run)?, global.quiet)
        }
        ServiceCommand::Status { dir, json } => {
            let root = dir.as_ref().map(|dir| root(global, Some(dir))).transpose()?;
            units.status(root.as_deref(), *json)
        }
    }
}

fn root(global: &Global, dir: Option<&PathBuf>) -> Result<Utf8PathBuf, CliError> {
    let target = match dir {
        Some(dir) => Target::whole(dir)?,
        None => Target::find(global, &[])?,
    };
    Ok(target.root)
}

/// The units of the user.
struct Units {
    folder: Utf8PathBuf,
}

impl Units {
    fn template(&self) -> Utf8PathBuf {
        self.folder.join("nbsync@.service")
    }

    fn install(
        &self,
        root: &Utf8Path,
        systemctl: &Systemctl,
        quiet: bool,
    ) -> Result<Outcome, CliError> {
        let program = std::env::current_exe()
            .map_err(|error| CliError::io("cannot find the program that runs", error))?;
        let text = unit::text(&program)?;
        let template = self.template();
        systemctl.change(&format!("write `{template}`"), || {
            fs::create_dir_all(&self.folder)
                .and_then(|()| replace::write(template.as_std_path(), text.as_bytes(), true))
                .map_err(|error| CliError::io(format!("cannot write `{template}`"), error))
        })?;
        let unit = unit::instance(root);
        systemctl.run(&["daemon-reload"])?;
        systemctl.run(&["enable", "--now", &unit])?;
        if !quiet && !systemctl.is_dry {
            ui::print(&format!(
                "`{}` is watched from now on\n\
                 what happens: journalctl --user -f -u '{unit}'\n\
                 without a login: loginctl enable-linger\n",
                ui::escape(root.as_str()),
            ))?;
        }
        Ok(Outcome::Fine)
    }

    fn uninstall(
        &self,
        root: &Utf8Path,
        systemctl: &Systemctl,
        quiet: bool,
    ) -> Result<Outcome, CliError> {
        let unit = unit::instance(root);
        let (own, others): (Vec<_>, Vec<_>) =
            self.installed()?.into_iter().partition(|installed| *installed == unit);
        if own.is_empty() {
            return Err(CliError::usage(format!("no service is installed for `{root}`"))
                .hint("`nbsync service status` lists the services"));
        }
        systemctl.run(&["disable", "--now", &unit])?;
        if others.is_empty() {
            let template = self.template();
            systemctl.change(&format!("remove `{template}`"), || {
                match fs::remove_file(&template) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(CliError::io(format!("cannot remove `{template}`"), error))
                    }
                    _ => Ok(()),
                }
            })?;
            systemctl.run(&["daemon-reload"])?;
        }
        if !quiet && !systemctl.is_dry {
            ui::print(&format!("`{}` is no longer watched\n", ui::escape(root.as_str())))?;
        }
        Ok(Outcome::Fine)
    }

    fn status(&self, root: Option<&Utf8Path>, json: bool) -> Result<Outcome, CliError> {
        let only = root.map(unit::instance);
        let mut services = Vec::new();
        for unit in self.installed()? {
            if only.as_ref().is_none_or(|only| *only == unit) {
                services.push(Service::look(unit)?);
            }
        }
        if json {
            ui::print_json(&serde_json::json!({ "version": 1, "services": services }))?;
        } else if services.is_empty() {
            let place = root.map(|root| format!(" for `{}`", ui::escape(root.as_str())));
            ui::print(&format!(
                "no service is installed{}\n`nbsync service install DIR` installs one\n",
                place.unwrap_or_default()
            ))?;
        } else {
            let mut table = Table::default();
            for service in &services {
                let style = if service.is_running() { GOOD } else { ATTENTION };
                let says = service.says.as_deref().unwrap_or_default();
                table.row([(style, &service.state), (PLAIN, &service.root), (QUIET, says)]);
            }
            ui::print(&table.print())?;
        }
        Ok(Outcome::in_sync(!services.is_empty() && services.iter().all(Service::is_running)))
    }

    /// The instances that start at login.
    fn installed(&self) -> Result<Vec<String>, CliError> {
        let folder = self.folder.join("default.target.wants");
        let cannot = |error| CliError::io(format!("cannot read `{folder}`"), error);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(cannot)?,
        };
        let mut units = Vec::new();
        for entry in entries {
            let name = entry.map_err(cannot)?.file_name();
            if let Some(name) = name.to_str().filter(|name| unit::root(name).is_some()) {
                units.push(name.to_owned());
            }
        }
        units.sort();
        Ok(units)
    }
}

/// An installed service.
#[derive(Debug, Serialize)]
struct Service {
    unit: String,
    root: String,
    /// systemd's `ActiveState`, such as `active`, `failed` or `inactive`.
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// What the daemon last told systemd.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<String>,
}

impl Service {
    fn look(unit: String) -> Result<Self, CliError> {
        let properties = "--property=ActiveState,MainPID,StatusText";
        let shown = systemctl::ask(&["show", properties, &unit])?;
        let property = |name: &str| {
            let line = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Ok(Self {
            root: unit::root(&unit).unwrap_or_default(),
            state: property("ActiveState").unwrap_or_else(|| "unknown".to_owned()),
            pid: property("MainPID").and_then(|pid| pid.parse().ok()).filter(|&pid| pid != 0),
            says: property("StatusText"),
            unit,
        })
    }

    fn is_running(&self) -> bool {
        matches!(self.state.as_str(), "active" | "reloading" | "activating")
    }
}
