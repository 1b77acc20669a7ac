//! What one shard counts beside its APIs: connections, refusals, upstream connections, panics.
//! Plain fields that the shard adds to; name, kind and help stand in one table.

use crate::http::{Flood, Status};

/// How Prometheus reads a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
}

/// One number of a shard, ready to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The Prometheus name.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// One sentence for a reader of `/metrics`.
    pub help: &'static str,
    /// The number.
    pub value: u64,
}

macro_rules! counters {
    ($($field:ident: $kind:ident $name:literal $help:literal,)*) => {
        /// The numbers of one shard; the shard adds to the fields itself.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct ShardCounters {
            $(#[doc = $help] pub $field: u64,)*
            /// Requests refused before they reached a stage, by [`Refused`].
            pub refused: [u64; Refused::ALL.len()],
            /// HTTP/2 connections ended because of a flood, by [`Flood`].
            pub floods: [u64; Flood::ALL.len()],
            /// Connections closed for what they began with, by [`Unproxied`].
            pub unproxied: [u64; Unproxied::ALL.len()],
        }

        impl ShardCounters {
            /// Every number but those in lists, in the order of the table.
            #[must_use]
            pub fn rows(&self) -> Vec<Row> {
                vec![$(Row {
                    name: concat!("ringway_", $name),
                    kind: Kind::$kind,
                    help: $help,
                    value: self.$field,
                },)*]
            }
        }
    };
}

counters! {
    connections_accepted: Counter "connections_accepted_total" "Client connections accepted.",
    connections_refused: Counter "connections_refused_total"
        "Client connections closed at once because a bound was reached.",
    connections_open: Gauge "connections_open" "Client connections open now.",
    accept_pauses: Counter "accept_pauses_total"
        "Times accepting paused because no descriptor was left.",
    tls_handshakes: Counter "tls_handshakes_total"
        "TLS handshakes with clients that succeeded, resumed ones among them.",
    tls_resumed: Counter "tls_resumed_total"
        "TLS handshakes with clients that went on with the keys of an earlier connection.",
    tls_handshakes_refused: Counter "tls_handshakes_refused_total"
        "TLS handshakes that failed because client and gateway could not agree, or one lied.",
    tls_handshakes_broken: Counter "tls_handshakes_broken_total"
        "TLS handshakes that the client left, or did not finish in time.",
    tls_handshakes_crowded: Counter "tls_handshakes_crowded_total"
        "TLS handshakes ended because too many were under way and this was the oldest.",
    tls_plain: Counter "tls_plain_total"
        "Connections to a TLS listener that began with plain HTTP.",
    tls_garbage: Counter "tls_garbage_total"
        "Connections to a TLS listener that began with neither TLS nor HTTP.",
    tls_alerts_received: Counter "tls_alerts_received_total"
        "TLS connections that a client ended with an alert.",
    tls_alerts_sent: Counter "tls_alerts_sent_total"
        "TLS connections that were ended because what came was forged or unsound.",
    requests_in_flight: Gauge "requests_in_flight" "Requests being answered now.",
    http2_connections: Counter "http2_connections_total" "HTTP/2 connections of clients begun.",
    http2_streams: Counter "http2_streams_total" "HTTP/2 streams of clients that had a request.",
    upstream_connects: Counter "upstream_connects_total" "Upstream connections made.",
    upstream_connect_failures: Counter "upstream_connect_failures_total"
        "Upstream connections that could not be made.",
    upstream_reuses: Counter "upstream_reuses_total"
        "Exchanges sent on an upstream connection that was kept alive.",
    upstream_tls_failures: Counter "upstream_tls_failures_total"
        "Upstream connections given up because TLS was not agreed on, or the upstream not trusted.",
    upstream_retries: Counter "upstream_retries_total"
        "Exchanges sent again because a kept-alive connection had died.",
    upstream_timeouts: Counter "upstream_timeouts_total"
        "Exchanges given up because the upstream did not answer in time.",
    upstream_malformed: Counter "upstream_malformed_total"
        "Upstream answers refused because they broke HTTP.",
    upstream_open: Gauge "upstream_connections_open" "Upstream connections open now.",
    panics: Counter "panics_total" "Connections that ended because of a bug in Ringway.",
    access_log_dropped: Counter "access_log_dropped_lines_total"
        "Access-log lines dropped because the log's disk or reader was too slow.",
    receive_starved: Counter "receive_starved_total"
        "Receives that had to wait because every receive buffer was in use.",
    plan_generation: Gauge "plan_generation" "The generation of the plan that the shard serves.",
}

/// Why a connection was closed where the PROXY protocol is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Unproxied {
    /// Its peer is none of the trusted ones.
    Untrusted,
    /// It began with something else.
    Absent,
    /// Its header is not as it should be.
    Malformed,
    /// The header did not arrive in time.
    TooSlow,
    /// No buffer was left for the header.
    Crowded,
}

impl Unproxied {
    /// All reasons; a reason's index is its place here.
    pub const ALL: [Self; 5] =
        [Self::Untrusted, Self::Absent, Self::Malformed, Self::TooSlow, Self::Crowded];

    /// The value of the `reason` label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Absent => "absent",
            Self::Malformed => "malformed",
            Self::TooSlow => "too_slow",
            Self::Crowded => "crowded",
        }
    }
}

/// Why a request was refused before it reached a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Refused {
    /// 400: broke HTTP.
    BadRequest,
    /// 403: no API for this host, or one that is private to other listeners.
    Forbidden,
    /// 404: no API and stage for this host and path.
    NoStage,
    /// 408: the head or body took too long.
    RequestTimeout,
    /// 413
    ContentTooLarge,
    /// 414
    UriTooLong,
    /// 417
    ExpectationFailed,
    /// 431
    HeadTooLarge,
    /// 501: an unknown method or transfer coding.
    NotImplemented,
    /// 505
    VersionNotSupported,
    /// Any other status.
    Other,
}

impl Refused {
    /// All reasons; a reason's index is its place here.
    pub const ALL: [Self; 11] = [
        Self::BadRequest,
        Self::Forbidden,
        Self::NoStage,
        Self::RequestTimeout,
        Self::ContentTooLarge,
        Self::UriTooLong,
        Self::ExpectationFailed,
        Self::HeadTooLarge,
        Self::NotImplemented,
        Self::VersionNotSupported,
        Self::Other,
    ];

    /// The reason that an early refusal with this status stands for.
    #[must_use]
    pub const fn of(status: Status) -> Self {
        match status.code() {
            400 => Self::BadRequest,
            403 => Self::Forbidden,
            404 => Self::NoStage,
            408 => Self::RequestTimeout,
            413 => Self::ContentTooLarge,
            414 => Self::UriTooLong,
            417 => Self::ExpectationFailed,
            431 => Self::HeadTooLarge,
            501 => Self::NotImplemented,
            505 => Self::VersionNotSupported,
            _ => Self::Other,
        }
    }

    /// The value of the `reason` label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::NoStage => "no_stage",
            Self::RequestTimeout => "request_timeout",
            Self::ContentTooLarge => "content_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::ExpectationFailed => "expectation_failed",
            Self::HeadTooLarge => "head_too_large",
            Self::NotImplemented => "not_implemented",
            Self::VersionNotSupported => "version_not_supported",
            Self::Other => "other",
        }
    }
}

impl ShardCounters {
    /// Counts a request that was refused with `status` before it reached a stage.
    pub const fn refuse(&mut self, status: Status) {
        self.refused[Refused::of(status) as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_stands_at_its_own_index() {
        for (index, reason) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, reason) in Unproxied::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }

    #[track_caller]
    fn check(status: u16, reason: &str) {
        let mut counters = ShardCounters::default();
        counters.refuse(Status::new(status).expect("a status"));
        let counted: Vec<&str> = Refused::ALL
            .into_iter()
            .filter(|reason| counters.refused[*reason as usize] == 1)
            .map(Refused::as_str)
            .collect();
        assert_eq!(counted, [reason]);
    }

    #[test]
    fn a_refusal_is_counted_by_its_status() {
        check(400, "bad_request");
        check(403, "forbidden");
        check(404, "no_stage");
        check(408, "request_timeout");
        check(413, "content_too_large");
        check(414, "uri_too_long");
        check(417, "expectation_failed");
        check(431, "head_too_large");
        check(501, "not_implemented");
        check(505, "version_not_supported");
        check(503, "other");
    }

    #[test]
    fn counters_end_in_total_and_gauges_do_not() {
        for row in ShardCounters::default().rows() {
            assert_eq!(row.name.ends_with("_total"), row.kind == Kind::Counter, "{}", row.name);
        }
    }
}
