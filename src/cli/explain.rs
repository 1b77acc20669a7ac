//! `ringway explain FILE METHOD URL`: the request is parsed, routed and prepared by the same
//! steps that serve it, and each decision is told. Nothing is sent. With `--key`, `--source-ip` or
//! `--limits` the running gateway is asked instead ([`live`]).

mod authorize;
mod cors;
mod domain;
mod limits;
mod live;
mod policy;
mod request;
mod signed;
mod story;

use std::process::ExitCode;

use super::{INVALID_FILE, args::ExplainArgs, colours, print, tell};
use crate::config::{self, Overrides, Source, report};

/// Prints what would happen to the request; 1 when the file has errors.
pub(super) fn explain(args: &ExplainArgs) -> ExitCode {
    let overrides = Overrides { stage_variables: args.set.clone(), ..Overrides::default() };
    let loaded = config::load(&Source::File(args.file.clone()), &overrides);
    let Some(plan) = &loaded.plan else {
        let colours = colours(&std::io::stderr());
        tell(&report::render(&loaded.problems, &loaded.sources, colours));
        return ExitCode::from(INVALID_FILE);
    };
    let (Some(method), Some(url)) = (&args.method, &args.url) else {
        return live::explain(args, &loaded.settings);
    };
    let asked = match request::Asked::parse(method, url, &args.header) {
        Ok(asked) => asked,
        Err(sentence) => {
            tell(&format!("ringway: {sentence}\n"));
            return ExitCode::from(2);
        }
    };
    print(&story::tell(plan, &asked))
}
