//! Which limits hold for a caller, and what is left of them: asked of the ledger and, through their
//! mailboxes, of the shards. How it is told is [`crate::admin::limits`]'s.

mod chosen;

use std::sync::Arc;

use self::chosen::{Chosen, OfCaller};
use super::control::Board;
use crate::{
    admin::{
        Answer,
        limits::{LimitsQuestion, LimitsView, PlanLimits, QuotaView, State, told},
        usage::{ApiKey, UsagePlans},
    },
    base::{
        WallTime,
        limits::{LIMITS_TOLD_MAX, STATISTICS_WAIT},
    },
    cli,
    ledger::{AccountId, AccountView, Ledger, QuotaTerms, Subject, period::Day, quota::Counters},
    runtime::{Runtime, Sender as Mail, mailbox},
    shard::{Order, Viewed, Watched, Window},
    steps::throttle::{Limit, Quota},
    telemetry::Throttled,
};

/// When a shard settled with the ledger while both were looked at, a token may be seen twice or not
/// at all: then all are looked at again, so often in all.
const LOOKS_MAX: u32 = 3;

/// Answers `GET /limits`.
pub(super) async fn answer(board: &Board, runtime: &Runtime, question: LimitsQuestion) -> Answer {
    let (plan, plans) = (board.plan(), board.books.plans());
    let ledger = board.books.ledger();
    let chosen = match Chosen::by(&question, &plan, ledger, runtime.now()) {
        Ok(chosen) => chosen,
        Err(refusal) => return refusal,
    };
    let watched = Arc::new(chosen.watched());
    let mut before = chosen.in_ledger(ledger, runtime);
    let mut looks = 1;
    let (in_ledger, seen) = loop {
        let seen = look(board, runtime, &watched).await;
        let after = chosen.in_ledger(ledger, runtime);
        if before.is_settled_as(&after) || looks == LOOKS_MAX {
            break (after, seen);
        }
        (before, looks) = (after, looks + 1);
    };
    let mut view = chosen.view(&in_ledger, &seen, &plans);
    view.missing =
        (0..board.shards.len()).filter(|at| seen.iter().all(|seen| seen.shard != *at)).collect();
    if let Some(id) = &question.key {
        view.key = plans.key(id).ok().map(|key| {
            let enabled = board.books.is_enabled(key);
            ApiKey { enabled, ..key.clone() }
        });
    }
    told(&view)
}

/// What the shards have, in their order; those that do not answer in time are not there.
async fn look(board: &Board, runtime: &Runtime, watched: &Arc<Watched>) -> Vec<Viewed> {
    let (to, views) = mailbox(board.shards.len().max(1));
    let is_asked = |shard: &&Mail<Order>| {
        shard.try_send(Order::View { watched: Arc::clone(watched), to: to.clone() }).is_ok()
    };
    let asked = board.shards.iter().filter(is_asked).count();
    let deadline = runtime.now() + STATISTICS_WAIT;
    let mut seen: Vec<Viewed> = Vec::new();
    while seen.len() < asked
        && let Some(viewed) = views.receive_until(runtime, deadline).await
    {
        seen.push(viewed);
    }
    seen.sort_by_key(|viewed| viewed.shard);
    seen
}

/// What the ledger has of all that holds for the caller, in its order.
struct InLedger {
    limits: Vec<Option<AccountView>>,
    quotas: Vec<(Counters, u64)>,
}

impl InLedger {
    /// Whether no shard settled between the two: their refills may differ.
    fn is_settled_as(&self, other: &Self) -> bool {
        let settled = |view: &Option<AccountView>| {
            view.map_or((0, 0), |AccountView { out, refused, .. }| (out, refused))
        };
        let used = |(counters, leased): &(Counters, u64)| (counters.used, *leased);
        self.limits.iter().map(settled).eq(other.limits.iter().map(settled))
            && self.quotas.iter().map(used).eq(other.quotas.iter().map(used))
    }
}

impl Chosen<'_> {
    fn watched(&self) -> Watched {
        let of_nobody = |limit: &Limit| AccountId::new(limit.id, Subject(0));
        let limits = self.limits.iter().map(|OfCaller { limit, account, .. }| {
            (account.unwrap_or_else(|| of_nobody(limit)), limit.name.clone())
        });
        let quotas = self.plans.iter().filter_map(|(_, quota)| *quota);
        let quotas = quotas.map(|(id, quota)| (id, quota.name.clone()));
        Watched { limits: limits.collect(), quotas: quotas.collect() }
    }

    fn in_ledger(&self, ledger: &Ledger, runtime: &Runtime) -> InLedger {
        let (now, wall) = (runtime.now(), cli::now());
        let limits = self.limits.iter().map(|of| ledger.view(of.account?, now)).collect();
        let quotas = self.plans.iter().filter_map(|(_, quota)| *quota);
        let quotas = quotas.map(|(id, quota)| counters_of(id, &quota.terms, ledger, wall));
        InLedger { limits, quotas: quotas.collect() }
    }

    fn view(&self, told: &InLedger, seen: &[Viewed], plans: &UsagePlans) -> LimitsView {
        let limits = self.limits.iter().enumerate().map(|(at, of)| {
            let windows = || seen.iter().map(move |seen| (seen.shard, seen.limits[at]));
            let state = of.account.map_or(State::Unasked, |_| State::Of {
                ledger: told.limits[at],
                shards: windows().map(|(shard, window)| (shard, window.lease)).collect(),
            });
            of.view(state, sum(windows()))
        });
        let limits = limits.collect();
        let mut places = 0..;
        let plans = self.plans.iter().filter_map(|(of_plan, quota)| {
            let quota = quota.and_then(|(_, quota)| {
                let at: usize = places.next()?;
                let windows = seen.iter().map(|seen| (seen.shard, seen.quotas[at]));
                Some(quota_view(quota, told.quotas[at], windows.collect()))
            });
            let methods = of_plan.methods().iter().map(|(_, index)| {
                let Limit { name, terms, .. } = &self.table[index.0 as usize];
                (name.clone(), *terms)
            });
            let methods = methods.take(LIMITS_TOLD_MAX).collect();
            // A reload in between may have taken it away.
            let plan = plans.plan(&of_plan.id).ok()?.clone();
            Some(PlanLimits { plan, methods, quota })
        });
        let (plans, left_out) = (plans.collect(), self.left_out);
        LimitsView { key: None, plans, limits, left_out, missing: Vec::new() }
    }
}

/// A quota's numbers, those of one that nobody has used yet, too.
fn counters_of(
    id: AccountId,
    terms: &QuotaTerms,
    ledger: &Ledger,
    wall: WallTime,
) -> (Counters, u64) {
    ledger.quotas().view(id, terms, wall).unwrap_or_else(|| {
        let today = Day::of(wall);
        let counters = Counters::new(id, terms.start(today), today);
        (Counters { limit: terms.limit_of(true), ..counters }, 0)
    })
}

fn quota_view(quota: &Quota, told: (Counters, u64), windows: Vec<(usize, Window)>) -> QuotaView {
    let resets_at = format!("{}T00:00:00Z", quota.terms.end(told.0.period));
    let counted = sum(windows.iter().copied());
    let shards = windows.into_iter().map(|(shard, window)| (shard, window.lease)).collect();
    QuotaView { terms: quota.terms, ledger: told, resets_at, shards, counted }
}

fn sum(windows: impl Iterator<Item = (usize, Window)>) -> Throttled {
    windows.fold(Throttled::default(), |sum, (_, Window { counted, .. })| Throttled {
        refused: sum.refused + counted.refused,
        dry: sum.dry + counted.dry,
    })
}
