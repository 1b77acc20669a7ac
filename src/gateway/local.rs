//! What one shard's connections share: the plan in force, pools, numbers, the access log.
//!
//! All of it belongs to one thread. State behind a `RefCell` is lent for the length of a call and
//! never across an `.await`.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};

use crate::{
    base::{Buffer, Pool, Pooled, Shelf, limits},
    http::FieldList,
    net::Outgoing,
    plan::Plan,
    runtime::Runtime,
    steps::context::{ClfTime, HttpDate, RequestId, TraceId},
    telemetry::{SeriesMap, Telemetry, access_log::AccessLog},
    upstream,
    wire::http1::HeadLimits,
};

/// One shard's share of the gateway.
pub struct Local {
    /// Clock, timers, tasks.
    pub runtime: Runtime,
    /// Lists of header fields.
    pub fields: Pool<FieldList>,
    /// Heads and other text on its way out.
    pub texts: Pool<Vec<u8>>,
    /// Lists of body pieces on their way out.
    pub pieces: Pool<Vec<Buffer>>,
    /// Blocks for heads that do not fit the block they began in.
    pub joints: Rc<Shelf>,
    /// The bounds of a request's head.
    pub head_limits: HeadLimits,
    installed: RefCell<Rc<Installed>>,
    telemetry: RefCell<Telemetry>,
    log: RefCell<Option<AccessLog>>,
    random: RefCell<fastrand::Rng>,
    dates: RefCell<Dates>,
    draining: Cell<bool>,
}

/// A plan on this shard, with what belongs to it here.
pub struct Installed {
    /// The compiled gateway.
    pub plan: Arc<Plan>,
    /// One pool for each of the plan's upstreams, in its order.
    pub pools: Vec<Rc<upstream::Pool>>,
    /// Where the plan's stages and routes are counted.
    pub series: SeriesMap,
}

/// The current second as text, rendered once.
#[derive(Clone, Copy)]
struct Dates {
    second: u64,
    http: HttpDate,
    clf: ClfTime,
}

/// What an upstream's name resolves to, by `host:port`.
pub type Addresses = HashMap<Arc<str>, Vec<SocketAddr>>;
