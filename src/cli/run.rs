//! `ringway run [FILE]`, and bare `ringway`.

use std::process::ExitCode;

use super::{INVALID_FILE, Start, args::RunArgs, colours, tell};
use crate::config::{self, Source, report};

/// Loads the file, tells its problems, and serves it when there are no errors. Without a file,
/// the demo: its document names its upstream by a stage variable, and the upstream has an address
/// only when it is bound, so it is `serve` that loads it.
pub(super) fn run(args: RunArgs, serve: fn(Start) -> ExitCode) -> ExitCode {
    let overrides = args.flags.into_overrides();
    let Some(file) = args.file else {
        return serve(Start { source: Source::Demo, overrides, loaded: None });
    };
    let source = Source::File(file);
    let loaded = config::load(&source, &overrides);
    tell(&report::render(&loaded.problems, &loaded.sources, colours(&std::io::stderr())));
    if loaded.plan.is_none() {
        return ExitCode::from(INVALID_FILE);
    }
    serve(Start { source, overrides, loaded: Some(loaded) })
}
