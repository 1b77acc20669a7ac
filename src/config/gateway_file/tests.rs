use std::path::Path;

use super::*;
use crate::base::Severity;

fn problems_of(text: &str) -> Vec<String> {
    let mut problems = Problems::new();
    let document = Document::parse(Path::new("gateway.yaml"), text.as_bytes(), &mut problems);
    let document = document.expect("the YAML is sound");
    let file = read(&document, &mut problems);
    assert_eq!(file.is_none(), problems.errors() > 0, "{text}");
    problems.sort();
    let mark = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    problems.iter().map(|one| format!("{}: {one}", mark(one.severity))).collect()
}

#[test]
fn zz() {
    for line in problems_of(
        "listener:\n  - address: 0.0.0.0:8080\nlisteners:\n  - address: localhost:80\n    trustedProxies: [10.0.0.0/8, 10/33]\n    tls: {certificates: [{certificate: a, privatekey: b}]}\n  - 7\n  - port: 1\napis:\n  - name: pets\n    protocol: http\n    definition: a.yaml\n    apiId: ABC\n    stages:\n      - stageName: a b\n        stageVariables: {port: 9000, 'a-b': x, c: 'a b', d: ''}\n        defaultRouteSettings: {throttlingRateLimit: -1}\n        routeSettings: {GET /pets: {throttlingBurstLimit: 2.5, throttlingRateLimits: 1}}\n        autoDeploy: false\n  - name: pets\n    protocol: REST\n    stages: {}\nregion: 5\naccountId: 123456789012\nshards: 0\ndrainSeconds: 3601\napiKeys: [{name: alice, value: short}]\nusagePlans: []\ndomainNames:\naccessLog: {destination: ''}\n",
    ) {
        eprintln!("{line}");
    }
}
