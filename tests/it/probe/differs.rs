//! Where the gateway does not do what the suite expects, and why that is right.

/// Case and reason.
pub(super) const ON_PURPOSE: &[(&str, &str)] = &[
    // An origin server's business: a gateway without a cache passes the fields and the answer.
    ("CAP-ETAG-304", "validators are the origin's; the fields pass unchanged"),
    ("CAP-ETAG-IN-304", "validators are the origin's; the fields pass unchanged"),
    ("CAP-ETAG-WEAK", "validators are the origin's; the fields pass unchanged"),
    ("CAP-INM-PRECEDENCE", "validators are the origin's; the fields pass unchanged"),
    ("CAP-INM-WILDCARD", "validators are the origin's; the fields pass unchanged"),
    ("CAP-LAST-MODIFIED-304", "validators are the origin's; the fields pass unchanged"),
    // AWS's catalogue has no 405: a verb without a route is 404 (api-gateway.md 2.2).
    ("COMP-405-ALLOW", "AWS answers 404 where no route has the verb"),
    // TRACE and CONNECT are no methods of API Gateway's; 501 (RFC 9110 15.6.2) is for those.
    ("COMP-TRACE-WITH-BODY", "TRACE is not implemented, with or without a body: 501"),
    // RFC 9110 15.5.14: the length says at once that it is over the payload limit.
    ("MAL-POST-CL-HUGE-NO-BODY", "over the payload limit: 413 before any body"),
    // The framing fields of the hop behind are the gateway's own: names are case-insensitive.
    ("NORM-CASE-TE", "TRANSFER-ENCODING is Transfer-Encoding (RFC 9110 5.1); framing is rewritten"),
];
