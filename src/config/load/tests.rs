use super::*;
use crate::{config::report, demo};

/// The problems of loading `path`, one line each.
fn told(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_demo_is_a_plan_without_a_problem() {
    let backend = (demo::BACKEND.to_owned(), "127.0.0.1:9000".to_owned());
    let overrides = Overrides { stage_variables: vec![backend], ..Overrides::default() };
    let loaded = load(&Source::Demo, &overrides);
    assert_eq!(told(&loaded), Vec::<String>::new());
    let plan = loaded.plan.expect("there is no problem");
    assert_eq!((plan.apis().len(), plan.stage_count(), plan.route_count()), (1, 1, 5));
    assert_eq!(plan.apis()[0].name, "petstore");
    assert_eq!(plan.upstreams().len(), 1);
    assert_eq!(report::summary(&loaded.problems), None);
}
