//! `ringway run [FILE]`, and bare `ringway`.

use std::process::ExitCode;

use super::{INTERNAL, INVALID_FILE, Start, args::RunArgs, colours, tell};
use crate::config::{self, GivenCertificate, Source, report};

const SELF_SIGNED: &str = "\
ringway: --listen-tls without --tls-cert: showing a self-signed certificate for localhost, made for
  this run; nobody trusts it (curl -k goes on all the same)
";

/// Loads the file, tells its problems, and serves it when there are no errors. Without a file,
/// the demo: its document names its upstream by a stage variable, and the upstream has an address
/// only when it is bound, so it is `serve` that loads it.
pub(super) fn run(args: RunArgs, serve: fn(Start) -> ExitCode) -> ExitCode {
    let overrides = match args.flags.into_overrides() {
        Ok(overrides) => overrides,
        Err(sentence) => {
            tell(&format!("ringway: a self-signed certificate cannot be made: {sentence}\n"));
            return ExitCode::from(INTERNAL);
        }
    };
    if let Some(GivenCertificate::Made { .. }) = &overrides.certificate {
        tell(SELF_SIGNED);
    }
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
