//! What the process knows of usage plans, keys and quotas: the ledger's accounts, the keeper once
//! there are keys to keep accounts for, and what the private port tells and changes of them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    future::{Future, poll_fn},
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    task::Poll,
    thread,
    time::Duration,
};

use super::{
    keeper::{Done, Ending, Fault, Keeper, KeeperCounts, Opened, Refused, read_day},
    tell,
};
use crate::{
    admin::{
        Answer,
        usage::{self, ApiKey, Page, UsagePlan, UsagePlans, UsageQuestion, unavailable},
    },
    base::Problem,
    cli,
    ledger::{
        AccountId, Ledger, QuotaTerms, Terms,
        period::Day,
        quota::{Asks, ClosedDay},
        usage::{UsedAndRemaining, by_day},
    },
    plan::{self, Plan},
    runtime::{Mailbox, Runtime, Sender as Mail, mailbox},
    shard::Order,
};

/// The keeper gets this long for its last records.
const FINISH_WAIT: Duration = Duration::from_secs(5);

/// The private port waits this long for what it asked of the keeper.
const ERRAND_WAIT: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Books {
    ledger: Arc<Ledger>,
    /// Until the keeper takes them.
    asks: Mutex<Option<Asks>>,
    keeper: OnceLock<Keeper>,
    plans: RwLock<Arc<UsagePlans>>,
}

impl Books {
    pub(super) fn new(shards: usize) -> Self {
        let (ledger, asks) = Ledger::new(shards);
        Self {
            ledger: Arc::new(ledger),
            asks: Mutex::new(Some(asks)),
            keeper: OnceLock::new(),
            plans: RwLock::default(),
        }
    }

    /// The accounts, for the shards.
    pub(super) const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Takes the state folder over when these plans have keys and it was not done before: comes
    /// before anything of them is served.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub(super) fn open(
        &self,
        plans: &UsagePlans,
        folder: &Path,
    ) -> Result<Option<Opened>, Refused> {
        let is_needed = plans.plans().iter().any(|plan| !plan.keys.is_empty());
        if !is_needed || self.keeper.get().is_some() {
            return Ok(None);
        }
        Opened::at(folder, self.ledger.quotas(), tell).map(Some)
    }

    /// Starts the keeper.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(super) fn start(
        &self,
        opened: Option<Opened>,
        shards: &[Mail<Order>],
    ) -> Result<(), Problem> {
        let Some(opened) = opened else { return Ok(()) };
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        let keeper = opened.keep(Arc::clone(&self.ledger), &mut asks, shards.to_vec(), tell)?;
        let _ = self.keeper.set(keeper);
        Ok(())
    }

    /// These plans are in force now.
    pub(super) fn follow(&self, plans: UsagePlans) {
        let plans = Arc::new(plans);
        if let Some(keeper) = self.keeper.get() {
            keeper.follow(plans.accounts().collect());
        }
        *self.plans.write().unwrap_or_else(PoisonError::into_inner) = plans;
    }

    /// The folder in use; `None` while there is no need for one.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.keeper.get().map(Keeper::folder)
    }

    /// Numbers for the metrics; `None` when nothing is kept.
    pub(super) fn counts(&self) -> Option<KeeperCounts> {
        self.keeper.get().map(Keeper::counts)
    }

    /// The last records.
    pub(super) fn finish(&self, ending: Ending) {
        if let Some(keeper) = self.keeper.get()
            && !keeper.finish(ending, FINISH_WAIT)
        {
            tell("the last counters of quotas could not be written in time");
        }
    }

    /// Whether a key is in force: an operator may have switched it.
    pub(super) fn is_enabled(&self, key: &ApiKey) -> bool {
        let switches = self.keeper.get().map(Keeper::switches).unwrap_or_default();
        switches.is_enabled(key.subject, key.enabled)
    }

    /// The plans in force.
    pub(super) fn plans(&self) -> Arc<UsagePlans> {
        Arc::clone(&self.plans.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers the private port.
    pub(super) async fn answer(&self, runtime: &Runtime, question: UsageQuestion) -> Answer {
        let plans = self.plans();
        match self.answer_of(&plans, runtime, question).await {
            Ok(answer) | Err(answer) => answer,
        }
    }

    async fn answer_of(
        &self,
        plans: &UsagePlans,
        runtime: &Runtime,
        question: UsageQuestion,
    ) -> Result<Answer, Answer> {
        let switches = self.keeper.get().map(Keeper::switches).unwrap_or_default();
        let is_enabled = |key: &ApiKey| switches.is_enabled(key.subject, key.enabled);
        Ok(match question {
            UsageQuestion::Keys(prefix, page) => {
                usage::api_keys(plans, prefix.as_deref(), &page, &is_enabled)
            }
            UsageQuestion::Key(id) => usage::api_key(plans, plans.key(&id)?, &is_enabled),
            UsageQuestion::Plans(key, page) => usage::usage_plans(plans, key.as_deref(), &page),
            UsageQuestion::Plan(id) => usage::usage_plan(plans.plan(&id)?),
            UsageQuestion::PlanKeys(plan, page) => {
                usage::usage_plan_keys(plans, plans.plan(&plan)?, &page)
            }
            UsageQuestion::PlanKey(plan, key) => {
                usage::usage_plan_key(plans.plan_and_key(&plan, &key)?.1)
            }
            UsageQuestion::Switch(id, enabled) => {
                let key = plans.key(&id)?;
                self.switch(runtime, key, enabled).await.map_err(|why| unavailable(&why))?;
                usage::api_key(plans, key, &|_| enabled)
            }
            UsageQuestion::Usage { plan, key, days, page } => {
                self.usage(plans, runtime, (&plan, key.as_deref()), days, &page).await?
            }
            UsageQuestion::Extend { plan, key, remaining } => {
                let (plan, key) = plans.plan_and_key(&plan, &key)?;
                let Some((limit, terms)) = plan.quota else {
                    return Err(usage::bad_request("the usage plan has no quota"));
                };
                let id = AccountId::new(limit, key.subject);
                self.extend(runtime, id, terms, remaining)
                    .await
                    .map_err(|why| unavailable(&why))?;
                let today = Day::of(cli::now());
                let page = Page { position: None, limit: 1 };
                let names = (plan.id.as_str(), Some(key.id.as_str()));
                self.usage(plans, runtime, names, (today, today), &page).await?
            }
        })
    }

    async fn switch(&self, runtime: &Runtime, key: &ApiKey, enabled: bool) -> Done {
        let (done, told) = mailbox(1);
        match self.keeper.get() {
            Some(keeper) if keeper.switch(key.subject, enabled, done) => {
                let late = "it is in force, but the disk has not taken it yet: it is lost when \
                            the gateway ends before that";
                outcome(runtime, &told).await.unwrap_or_else(|| Err(late.to_owned()))
            }
            Some(_) => Err("too many changes wait for the disk; try again".to_owned()),
            None => Err("no usage plan has a key: there is nothing to switch".to_owned()),
        }
    }

    async fn extend(
        &self,
        runtime: &Runtime,
        id: AccountId,
        terms: QuotaTerms,
        remaining: u64,
    ) -> Done {
        let (done, told) = mailbox(1);
        match self.keeper.get() {
            Some(keeper) if keeper.extend(id, terms, remaining, done) => {
                let late = "the disk has not taken it yet: it will be in force when it has";
                outcome(runtime, &told).await.unwrap_or_else(|| Err(late.to_owned()))
            }
            _ => Err("too many changes wait for the disk; try again".to_owned()),
        }
    }

    async fn usage(
        &self,
        plans: &UsagePlans,
        runtime: &Runtime,
        (plan, key): (&str, Option<&str>),
        (from, to): (Day, Day),
        page: &Page,
    ) -> Result<Answer, Answer> {
        let plan = match key {
            Some(key) => plans.plan_and_key(plan, key)?.0,
            None => plans.plan(plan)?,
        };
        let keys = plan.keys.iter().filter(|id| key.is_none_or(|key| key == id.as_str()));
        let keys = keys.filter_map(|id| plans.key(id).ok());
        let (keys, position) = usage::cut(keys, page, |key| &key.id);
        let (Some((limit, terms)), Some(folder)) = (plan.quota, self.folder()) else {
            return Ok(usage::usage(plan, (from, to), &[], None));
        };
        // Nothing is known of tomorrow.
        let wall = cli::now();
        let last = to.min(Day::of(wall));
        let days = (terms.start(from), last);
        let ids = keys.iter().map(|key| AccountId::new(limit, key.subject)).collect();
        let closed = read_days(runtime, folder.to_owned(), ids, days).await;
        let closed = closed.map_err(|why| unavailable(&why))?;
        let of_key = |key: &ApiKey| {
            let id = AccountId::new(limit, key.subject);
            let now = self.ledger.quotas().counters(id, &terms, wall);
            let of_key = closed.get(&id).map(Vec::as_slice).unwrap_or_default();
            by_day(&terms, now.as_ref(), of_key, (from, last))
        };
        let keys: Vec<(&str, Vec<UsedAndRemaining>)> =
            keys.into_iter().map(|key| (key.id.as_str(), of_key(key))).collect();
        Ok(usage::usage(plan, (from, to), &keys, position))
    }
}

/// What came of an errand; `None` when the disk takes longer than a client waits.
async fn outcome(runtime: &Runtime, told: &Mailbox<Done>) -> Option<Done> {
    let mut told = pin!(told.receive(runtime));
    let mut timeout = pin!(runtime.sleep(ERRAND_WAIT));
    poll_fn(|context| match told.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => timeout.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// Reads the files of days on a thread of its own: the private port waits for no disk. At most as
/// many at once as the port has connections.
async fn read_days(
    runtime: &Runtime,
    folder: PathBuf,
    ids: HashSet<AccountId>,
    (from, to): (Day, Day),
) -> Result<HashMap<AccountId, Vec<ClosedDay>>, String> {
    let (done, told) = mailbox(1);
    let read = move || {
        let mut all: HashMap<AccountId, Vec<ClosedDay>> = HashMap::new();
        for day in from.0..=to.0 {
            let closed = read_day(&folder, Day(day)).map_err(|fault| explain(&fault))?;
            for closed in closed.into_iter().filter(|closed| ids.contains(&closed.id)) {
                all.entry(closed.id).or_default().push(closed);
            }
        }
        Ok(all)
    };
    let started = thread::Builder::new().name("usage".to_owned()).spawn(move || {
        drop(done.try_send(read()));
    });
    match started {
        Ok(_) => told.receive(runtime).await,
        Err(error) => Err(format!("usage cannot be read: {error}")),
    }
}

/// A sentence for whoever asked.
pub(crate) fn explain(fault: &Fault) -> String {
    match fault {
        Fault::Io(error) => format!("usage cannot be read: {error}"),
        Fault::Damaged { file, at, what } => {
            format!("usage cannot be read: {}, byte {at}: {what}", file.display())
        }
    }
}

/// The plan's usage plans as they are told and kept.
pub(crate) fn usage_plans(plan: &Plan) -> UsagePlans {
    let stages: Vec<(String, String)> = plan
        .apis()
        .iter()
        .flat_map(|api| api.stages.iter().map(|stage| (&api.id, stage.name.as_str())))
        .map(|(api, stage)| (api.clone(), stage.to_owned()))
        .collect();
    let mut plans: Vec<UsagePlan> = plan.usage_plans().iter().map(|one| told(plan, one)).collect();
    let mut holds: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut keys = Vec::new();
    for key in plan.keys().iter() {
        let id = plan.keys().id(key);
        let pairs = plan.keys().plans(key).pairs();
        let mut of_key: Vec<usize> = pairs.iter().map(|(_, index)| index.0 as usize).collect();
        of_key.sort_unstable();
        of_key.dedup();
        of_key.into_iter().for_each(|index| plans[index].keys.push(id.to_owned()));
        holds.extend(pairs.iter().map(|(stage, index)| (index.0 as usize, *stage as usize)));
        let (id, name) = (id.to_owned(), plan.keys().name(key).to_owned());
        let (enabled, subject) = (key.enabled, key.subject);
        keys.push(ApiKey { id, name, description: None, enabled, subject });
    }
    for (index, stage) in holds {
        plans[index].stages.extend(stages.get(stage).cloned());
    }
    UsagePlans::new(plans, keys)
}

fn told(plan: &Plan, usage_plan: &plan::UsagePlan) -> UsagePlan {
    let throttle = usage_plan.throttle.map(|limit| &plan.limits()[limit.0 as usize].terms);
    let throttle = throttle.and_then(|terms| match terms {
        Terms::Bucket { rate, burst } => Some((rate.millionths() as f64 / 1e6, *burst)),
        Terms::InFlight { .. } => None,
    });
    let (id, name) = (usage_plan.id.clone(), usage_plan.name.clone());
    let quota = usage_plan.quota.as_ref().map(|quota| (quota.id, quota.terms));
    UsagePlan { id, name, stages: Vec::new(), throttle, quota, keys: Vec::new() }
}
