//! The pilot: what a Capacitor plugin does when, once for every platform.
//!
//! Enters: what a native shell sees (starts, life-cycle, navigations, timers that ran out) and what
//! its pages call, as a method's name and JSON. Leaves: [`Order`]s for the shell (show this folder,
//! set a timer, run this job on that lane, answer this call), in one order for all threads. The
//! policy is [`Machine`], a pure state machine; this module gives it a clock, carries its jobs to the
//! [`Updater`], and hands its effects to the shell. The shell marshals, owns threads and timers, and
//! touches the web view. ADR 7 says why.

mod api;
mod call;
mod calls;
mod confirm;
mod deadline;
mod event;
mod exit;
mod jobs;
mod launches;
mod machine;
#[cfg(feature = "net")]
mod open;
mod page;
mod runs;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use api::{
    About, BlockedBundle, Bundle, EVENTS, Failure, Found, LastError, Notice, ReadyResult, Stage,
    StateResult, Told,
};
pub use call::{Apply, Call, Hold, METHODS, Nonce};
pub use event::{Asked, CallId, Decided, Done, Effect, Event, Job, Lane, Now, Stored, Switch};
pub use exit::{Exit, ExitReason};
pub use machine::{Idle, Machine, Setting};
#[cfg(feature = "net")]
pub use open::{Setup, Source};
pub use schedule::AutoSync;
pub use settings::{Sealed, Settings};

use crate::host::Clock;
use crate::progress::{Cancel, Progress};
use crate::updater::Updater;

/// What the shell is to do. Orders come one at a time and in order; the shell may call back from
/// within one.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// On the thread of the web view: load an empty document in place of the old page. Once that
    /// stands, and nothing that the old page began may come up after it, serve this folder, say
    /// [`News::Shown`], load its page. Not before: an old page that had begun to load itself anew
    /// would be taken for the new one. The next such order takes the place of one that still waits,
    /// and keeps the route it had noted; a web view that died or is made anew forgets it. One that
    /// cannot be brought to leave its page is made anew.
    Show {
        /// The folder; nothing is the built-in bundle.
        folder: Option<PathBuf>,
        /// At the route that the old page is on.
        keep_route: bool,
        /// Names the launch.
        launch: u64,
    },
    /// Load the page of what is served anew.
    Reload {
        /// At the route that it is on.
        keep_route: bool,
    },
    /// The web view is dead: make a new one, which begins with [`Pilot::start`].
    Recreate,
    /// Say [`News::Timer`] with this number after so long.
    SetTimer {
        /// Its number.
        timer: u64,
        /// How long.
        after: Duration,
    },
    /// This timer is not wanted any more.
    StopTimer {
        /// Its number.
        timer: u64,
    },
    /// Call [`Pilot::work`] with this number from the lane's thread, one job after another.
    Work {
        /// Which thread.
        lane: Lane,
        /// The job's number.
        job: u64,
    },
    /// Tell the page's listeners.
    Tell {
        /// The event's name.
        event: &'static str,
        /// An object, as JSON.
        data: String,
        /// To be kept until a page listens.
        retain: bool,
    },
    /// Answer a call.
    Resolve {
        /// Which.
        call: CallId,
        /// An object or `null`, as JSON.
        data: String,
    },
    /// Refuse a call.
    Reject {
        /// Which.
        call: CallId,
        /// Code of `docs/errors.md`.
        code: &'static str,
        /// One sentence, for a developer.
        message: String,
        /// An object, as JSON.
        data: String,
    },
    /// Write this to the native log, as a warning.
    Log(String),
    /// Have the system keep this text until the process is gone, for [`Exit::note`].
    Note(String),
}

/// The native shell.
pub trait Hands: Send + Sync {
    /// Do this, or see to it that it is done. Called from any thread, no lock held.
    fn order(&self, order: Order);

    /// Whether the network is one that is paid for by the byte. Asked on the long lane.
    fn metered(&self) -> bool;
}

/// What a shell sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The main frame began to load a page. To be told in the order in which calls of pages are, as
    /// far as [`News::Shown`] does not do without.
    Navigated,
    /// The old page is gone, and the folder of the [`Order::Show`] for this launch is served from
    /// now on. To be told in the order in which calls of pages are.
    Shown {
        /// The launch's number.
        launch: u64,
        /// Nothing that the old page began may come up any more. Then the new page's calls may come
        /// before [`News::Navigated`]; otherwise that must be told in their order.
        alone: bool,
    },
    /// The app is in front and takes input.
    Active,
    /// Something is in front of it.
    Inactive,
    /// The app is out of sight.
    Background,
    /// This timer ran out.
    Timer(u64),
}

/// The plugin's core: one for each process, whatever becomes of its web views.
pub struct Pilot {
    machine: Mutex<Machine>,
    orders: Mutex<Orders>,
    jobs: Mutex<Jobs>,
    updater: Option<Arc<Updater>>,
    hands: Arc<dyn Hands>,
    clock: Arc<dyn Clock>,
    born: Instant,
}

/// Orders on their way. Whoever finds it idle hands them on, one by one, with nothing locked.
#[derive(Default)]
struct Orders {
    waiting: VecDeque<Order>,
    busy: bool,
}

/// Jobs that were ordered and not begun.
#[derive(Default)]
struct Jobs {
    next: u64,
    waiting: BTreeMap<u64, (Job, Cancel)>,
    /// Cancels everything on the long lane that was ordered so far.
    cancel: Cancel,
}

impl Pilot {
    /// A pilot over `updater`; without one it is idle, as `setting` says.
    #[must_use]
    pub fn new(
        setting: Setting,
        updater: Option<Arc<Updater>>,
        hands: Arc<dyn Hands>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            machine: Mutex::new(Machine::new(setting)),
            orders: Mutex::default(),
            jobs: Mutex::default(),
            updater,
            hands,
            clock,
            born: Instant::now(),
        }
    }

    /// A web view is being made: decides which folder its first load is of; nothing is the built-in
    /// bundle. `exit` is how the last process ended, where the system tells. `seen` unless the app is out
    /// of sight, begun by a push message, say: nothing is tried then before [`News::Active`]. Blocks for
    /// about a millisecond; a launch on trial is counted on disk first. Never fails.
    pub fn start(&self, exit: Option<Exit>, seen: bool) -> Option<PathBuf> {
        self.now_and_here(Event::Start { exit, seen })
    }

    /// A page calls `method` with `options` as JSON. The answer comes as an order, perhaps before
    /// this returns. Reads and writes nothing.
    pub fn call(&self, call: CallId, method: &str, options: &str) {
        let parsed = Call::parse(method, options);
        self.on(Event::Call(call, parsed));
    }

    /// Something happened. Reads and writes nothing.
    pub fn tell(&self, news: &News) {
        self.on(match news {
            News::Navigated => Event::Navigated,
            News::Shown { launch, alone } => Event::Shown { launch: *launch, alone: *alone },
            News::Active => Event::Active,
            News::Inactive => Event::Inactive,
            News::Background => Event::Background,
            News::Timer(timer) => Event::Timer(*timer),
        });
    }

    /// The page's renderer died. Blocks until that is written down, since the process may follow;
    /// then comes [`Order::Recreate`].
    pub fn renderer_gone(&self) {
        self.now_and_here(Event::RendererGone);
    }

    /// Does a job that was ordered; blocks until it is done. A job that was done or never ordered is
    /// none. One that panics has failed, which the log and whoever waits for it are told.
    pub fn work(&self, job: u64) {
        let waiting = lock(&self.jobs).waiting.remove(&job);
        if let (Some((job, cancel)), Some(updater)) = (waiting, &self.updater) {
            let done = self.carry_out(updater, job, &cancel, &mut |event| self.on(event));
            self.on(Event::Done(done));
        }
    }

    /// A job that never ended would hold up everything that waits for it, until the process ends.
    fn carry_out(
        &self,
        updater: &Updater,
        job: Job,
        cancel: &Cancel,
        watch: &mut dyn FnMut(Event),
    ) -> Done {
        let doing = job.clone();
        let work = || jobs::carry_out(updater, doing, cancel, &*self.hands, watch);
        // What a job leaves half done is on disk, where every start and every sync reckons with it.
        std::panic::catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| jobs::fell_over(updater, job))
    }

    /// What stands below, for native code. None while idle.
    #[must_use]
    pub fn updater(&self) -> Option<&Arc<Updater>> {
        self.updater.as_ref()
    }

    fn on(&self, event: Event) {
        {
            let mut machine = lock(&self.machine);
            let effects = machine.on(event, self.now());
            // Queued before anybody else can decide anything: orders keep the machine's order.
            effects.into_iter().for_each(|effect| self.queue(effect));
        }
        self.hand_out();
    }

    /// Like `on`, with jobs done at once on this thread; returns what the web view begins with.
    fn now_and_here(&self, event: Event) -> Option<PathBuf> {
        let mut begin = None;
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut urgent = Vec::new();
            {
                let mut machine = lock(&self.machine);
                for effect in machine.on(event, self.now()) {
                    match effect {
                        Effect::Begin(folder) => begin = folder,
                        Effect::Run(
                            job @ (Job::Start { .. } | Job::Fail { .. } | Job::EarlyCrash(_)),
                        ) => urgent.push(job),
                        effect => self.queue(effect),
                    }
                }
            }
            for job in urgent {
                if let Some(updater) = &self.updater {
                    let cancel = Cancel::default();
                    let done = self.carry_out(updater, job, &cancel, &mut |_| {});
                    events.push_back(Event::Done(done));
                }
            }
        }
        self.hand_out();
        begin
    }

    /// Queues an effect as an order.
    fn queue(&self, effect: Effect) {
        let order = match effect {
            // Only starts begin, and they take it from the machine themselves.
            Effect::Begin(_) => return,
            Effect::Show { folder, keep_route, launch } => {
                Order::Show { folder, keep_route, launch }
            }
            Effect::Reload { keep_route } => Order::Reload { keep_route },
            Effect::Recreate => Order::Recreate,
            Effect::SetTimer(timer, after) => Order::SetTimer { timer, after },
            Effect::StopTimer(timer) => Order::StopTimer { timer },
            Effect::Run(job) => {
                let lane = job.lane();
                let mut jobs = lock(&self.jobs);
                jobs.next += 1;
                let (number, cancel) = (jobs.next, jobs.cancel.clone());
                jobs.waiting.insert(number, (job, cancel));
                Order::Work { lane, job: number }
            }
            Effect::Cancel => {
                let mut jobs = lock(&self.jobs);
                std::mem::take(&mut jobs.cancel).cancel();
                return;
            }
            Effect::Tell(Told { event, data, retain }) => {
                Order::Tell { event, data: data.to_string(), retain }
            }
            Effect::Resolve(call, data) => Order::Resolve { call, data: data.to_string() },
            Effect::Reject(call, Failure { code, message, data }) => {
                Order::Reject { call, code, message, data: data.to_string() }
            }
            Effect::Note(note) => Order::Note(note),
            Effect::Log(text) => Order::Log(text),
        };
        lock(&self.orders).waiting.push_back(order);
    }

    /// Hands orders on until none is left, unless somebody is at it already: another thread, or this
    /// one further down the stack.
    fn hand_out(&self) {
        loop {
            let order = {
                let mut orders = lock(&self.orders);
                if orders.busy {
                    return;
                }
                let Some(order) = orders.waiting.pop_front() else { return };
                orders.busy = true;
                order
            };
            let idle = Idler(&self.orders);
            self.hands.order(order);
            drop(idle);
        }
    }

    fn now(&self) -> Now {
        Now { ticks: self.born.elapsed(), wall: self.clock.now() }
    }
}

/// Lets progress through at most ten times a second, and always the last of it.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Instant>,
}

impl Pace {
    /// Whether this is to be told now.
    pub fn is_due(&mut self, progress: Progress) -> bool {
        let early = self.last.is_some_and(|last| last.elapsed() < runs::PROGRESS);
        if early && progress.bytes < progress.total {
            return false;
        }
        self.last = Some(Instant::now());
        true
    }
}

/// Lets others hand orders on again, whatever the shell did.
struct Idler<'a>(&'a Mutex<Orders>);

impl Drop for Idler<'_> {
    fn drop(&mut self) {
        lock(self.0).busy = false;
    }
}

/// A lock that a panic elsewhere does not take away.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
