//! `ringway validate FILE`: every problem, and nothing else. Binds no socket.

use std::process::ExitCode;

use super::{
    INVALID_FILE,
    args::{Format, ValidateArgs},
    colours, print,
};
use crate::config::{self, Overrides, Source, report};

/// Prints all problems; 1 when there are errors.
pub(super) fn validate(args: &ValidateArgs) -> ExitCode {
    let (stage_variables, now) = (args.set.clone(), super::now());
    let overrides = Overrides { stage_variables, now, ..Overrides::default() };
    let loaded = config::load(&Source::File(args.file.clone()), &overrides);
    let text = match args.format {
        Format::Json => format!("{:#}\n", report::to_json(&loaded.problems)),
        Format::Text => {
            let colours = colours(&std::io::stdout());
            let drawn = report::render(&loaded.problems, &loaded.sources, colours);
            format!("{drawn}{}\n", verdict(&args.file, &loaded))
        }
    };
    let printed = print(&text);
    if loaded.problems.errors() > 0 { ExitCode::from(INVALID_FILE) } else { printed }
}

fn verdict(file: &std::path::Path, loaded: &config::Loaded) -> String {
    let file = file.display();
    let Some(plan) = &loaded.plan else { return format!("{file} cannot be served.") };
    let count = |count: usize, one: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {one}{plural}")
    };
    let names = plan.domains().names().len();
    let names = match names {
        0 => String::new(),
        _ => format!(", {}", count(names, "domain name")),
    };
    format!(
        "{file} can be served: {}, {}, {}{names}.",
        count(plan.apis().len(), "API"),
        count(plan.stage_count(), "stage"),
        count(plan.route_count(), "route")
    )
}
