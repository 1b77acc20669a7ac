//! What ringway tells about itself: schema, completions, man pages.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{INTERNAL, args::Args, print, tell};
use crate::config::gateway_file::json_schema;

/// `ringway schema`.
pub(super) fn schema() -> ExitCode {
    print(&format!("{:#}\n", json_schema()))
}

/// `ringway completions SHELL`.
pub(super) fn completions(shell: Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ringway", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// `ringway man [COMMAND]`, as roff.
pub(super) fn man(name: Option<&str>) -> ExitCode {
    let mut command = Args::command();
    command.build();
    let page = match name {
        None => Some(&command),
        Some(name) => command.get_subcommands().find(|command| command.get_name() == name),
    };
    let Some(page) = page else {
        let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        tell(&format!("ringway: no command has this name; there are {}\n", names.join(", ")));
        return ExitCode::from(2);
    };
    let mut text = Vec::new();
    if let Err(error) = clap_mangen::Man::new(page.clone()).render(&mut text) {
        tell(&format!("ringway: cannot make the page: {error}\n"));
        return ExitCode::from(INTERNAL);
    }
    print(&String::from_utf8_lossy(&text))
}
