//! What the command line says about itself.

use std::process::Stdio;

use crate::sandbox::Sandbox;

#[test]
fn the_commands_are_listed() {
    insta::assert_snapshot!(Sandbox::new().run(&["-h"]), @"
    Keep Jupyter, percent and marimo copies of a notebook in sync, edit by edit

    Usage: nbsync [OPTIONS] <COMMAND>

    Commands:
      watch        Watch folders, and carry every edit to the other copies of its
                   notebook
      sync         Bring all copies in sync once, then exit
      status       Show the notebooks and whether their copies are in sync
      flush        Wait until everything saved so far is in all copies
      hold         Gather saves of a notebook, to become one step
      release      Propagate the saves that `nbsync hold` has gathered
      open         Open a notebook in an editor, in the copy that suits it
      run          Run a notebook as a marimo app
      which        Print where the copies of a notebook are
      log          List the versions of a notebook, newest first
      diff         Show what is different between two versions of a notebook
      show         Print a version of a notebook
      restore      Bring a version of a notebook back
      undo         Take the last step of a notebook back
      conflicts    List the conflicts that are still to be decided
      resolve      Decide conflicts of a notebook
      convert      Convert notebooks from one format to another
      doctor       Explain why files are or are not synced, and what could not run
                   in them
      pair         Make files one notebook, in the configuration
      unpair       Take files that `nbsync pair` has paired apart
      ignore       Leave files or folders alone, in the configuration
      pause        Make the running daemon write nothing until `nbsync resume`
      resume       End a pause or a halt of the running daemon
      stop         Stop the running daemon
      service      Watch a folder in the background, from login on
      completions  Print completions for a shell
      man          Print the manual page, of nbsync or of one command

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
          --root <DIR>           The folder that is watched [default: the nearest
                                 one upward that was synced before or has a
                                 configuration, or else the current one]
      -q, --quiet                Only print what needs attention
      -v, --verbose...           Print more (can be repeated)
          --color <WHEN>         When to print in colour [default: auto] [possible
                                 values: auto, always, never]
          --log-format <FORMAT>  How to print what happens: lines for people, or one
                                 JSON object a line [default: text] [possible
                                 values: text, json]
    ");
}

#[test]
fn watch_explains_itself() {
    insta::assert_snapshot!(Sandbox::new().run(&["watch", "--help"]), @"
    Watch folders, and carry every edit to the other copies of its notebook

    Runs in the foreground until Ctrl-C, SIGTERM or `nbsync stop`, and prints one
    line per edit: the time, the notebook, from which copy to which, how many cells
    changed, and how long it took. SIGHUP makes it read the configuration again.

    Usage: nbsync watch [OPTIONS] [DIR]...

    Arguments:
      [DIR]...
              The folders to watch [default: what `--root` says]

    Options:
      -h, --help
              Print help (see a summary with '-h')

    Global options:
          --root <DIR>
              The folder that is watched [default: the nearest one upward that was
              synced before or has a configuration, or else the current one]

      -q, --quiet
              Only print what needs attention

      -v, --verbose...
              Print more (can be repeated)

          --color <WHEN>
              When to print in colour

              Possible values:
              - auto:   On a terminal, unless `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

          --log-format <FORMAT>
              How to print what happens: lines for people, or one JSON object a line

              Possible values:
              - text: Lines for people
              - json: One JSON object a line
              
              [default: text]
    ");
}

#[test]
fn convert_explains_itself() {
    insta::assert_snapshot!(Sandbox::new().run(&["convert", "--help"]), @"
    Convert notebooks from one format to another

    Stateless: nothing is paired or watched, and the result holds all that its
    format has a place for. The result goes to stdout, or to the file that `-o`
    names. Of a folder, all notebooks in it are converted, into the same folders
    below `-o DIR/`. Existing files are only replaced with `--force`. Exits with 3
    if a notebook can't be read, converted or written.

    With `--check`, says what another format can't hold, cell by cell, and writes
    nothing.

    Usage: nbsync convert [OPTIONS] <IN>...

    Arguments:
      <IN>...
              The notebooks, folders of them, or `-` for stdin

    Options:
          --to <FORMAT>
              The format to convert to; with `--check`, can be repeated
              
              [possible values: ipynb, marimo, hydrogen, percent]

          --from <FORMAT>
              The format to convert from [default: what the text looks like]
              
              [possible values: ipynb, marimo, hydrogen, percent]

      -o, --output <OUT>
              The file to write, `-` for stdout, or a folder for a file per notebook

      -f, --force
              Replace existing files

          --check
              Say what is lost or changed on the way there and back, and write
              nothing
              
              Without `--to`, for ipynb, percent and marimo. Exits with 1 if
              anything is.

          --ignore <WHAT>
              What `--check` leaves out, by its name in `--json` (can be repeated)
              
              [possible values: outputs, execution_count, id, attachments, metadata,
              marimo, script, kind, text, split, missing, order, added, layout,
              commented]

          --json
              Print what `--check` found as JSON

      -h, --help
              Print help (see a summary with '-h')

    Global options:
          --root <DIR>
              The folder that is watched [default: the nearest one upward that was
              synced before or has a configuration, or else the current one]

      -q, --quiet
              Only print what needs attention

      -v, --verbose...
              Print more (can be repeated)

          --color <WHEN>
              When to print in colour

              Possible values:
              - auto:   On a terminal, unless `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

          --log-format <FORMAT>
              How to print what happens: lines for people, or one JSON object a line

              Possible values:
              - text: Lines for people
              - json: One JSON object a line
              
              [default: text]
    ");
}

#[test]
fn every_command_has_a_manual_page_and_completions() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(&["-h"]);
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let page = sandbox.run(&["man"]);
    let completions = sandbox.run(&["completions", "bash"]);
    // Longer explanations go on in a line that is indented more.
    for line in commands.lines().filter(|line| !line.starts_with("   ")) {
        let command = line.split_whitespace().next().unwrap();
        assert!(page.contains(&format!("nbsync\\-{command}(1)")), "{command}");
        assert!(completions.contains(&format!("nbsync__subcmd__{command}")), "{command}");
        let page = sandbox.run(&["man", command]);
        assert!(page.contains(&format!("nbsync\\-{command}")), "{page}");
    }
    assert!(!page.contains("--- stderr"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The script is longer than a pipe holds, so the command is still writing.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}
