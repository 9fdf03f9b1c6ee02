//! A shell that is made up, and its web view.

use super::device::Device;
use super::*;

/// A shell that does at once what it is told, unless a test holds its hands.
pub(super) struct Shell {
    pub(super) machine: Machine,
    pub(super) device: Device,
    pub(super) ticks: Duration,
    pub(super) timers: BTreeMap<u64, Duration>,
    pub(super) jobs: VecDeque<Job>,
    /// Jobs that the device has done, and whose end is not told yet.
    pub(super) ended: VecDeque<(Vec<Event>, Done)>,
    /// Jobs wait for [`Shell::work`], but for those of a web view that is made or has died.
    pub(super) slow: bool,
    pub(super) metered: bool,
    pub(super) calls: u32,
    pub(super) answers: BTreeMap<String, Result<Value, &'static str>>,
    pub(super) told: Vec<(&'static str, Value)>,
    pub(super) shown: Vec<Option<PathBuf>>,
    pub(super) recreated: u32,
    /// Loads the page that was shown or is to be loaded anew, as a web view does.
    pub(super) navigates: bool,
    /// What is to be shown once the old page is gone.
    pub(super) waits: Option<(u64, Option<PathBuf>)>,
    /// Old pages go at once.
    pub(super) blanks: bool,
    /// Of those that went nothing comes up any more.
    pub(super) alone: bool,
}

impl Shell {
    pub(super) fn new(settings: Value) -> Self {
        let mut all = json!({ "url": "https://example.com", "channel": "production" });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let settings = Settings::parse(&all.to_string(), "com.example.shop").unwrap();
        Self::with(Some(settings), None)
    }

    pub(super) fn with(settings: Option<Settings>, idle: Option<Idle>) -> Self {
        let about = About {
            platform: "android",
            app_id: "com.example.shop".to_owned(),
            native_version: "1.0".to_owned(),
            native_build: "1".to_owned(),
        };
        Self {
            machine: Machine::new(Setting { settings, idle, about, seed: 7 }),
            device: Device::default(),
            ticks: Duration::ZERO,
            timers: BTreeMap::new(),
            jobs: VecDeque::new(),
            ended: VecDeque::new(),
            slow: false,
            metered: false,
            calls: 0,
            answers: BTreeMap::new(),
            told: Vec::new(),
            shown: Vec::new(),
            recreated: 0,
            navigates: true,
            waits: None,
            blanks: true,
            alone: false,
        }
    }

    pub(super) fn on(&mut self, event: Event) {
        let wall = UnixTime::from_seconds(1_800_000_000 + self.ticks.as_secs());
        let at_once = matches!(event, Event::Start { .. } | Event::RendererGone);
        let mut urgent = Vec::new();
        let effects = self.machine.on(event, Now { ticks: self.ticks, wall });
        for effect in effects {
            match effect {
                Effect::Begin(folder) => {
                    self.waits = None;
                    self.shown.push(folder);
                }
                Effect::Show { folder, launch, .. } => {
                    self.waits = Some((launch, folder));
                    if self.blanks {
                        self.blank();
                    }
                }
                Effect::Reload { .. } if self.navigates => self.on(Event::Navigated),
                Effect::Reload { .. } => {}
                Effect::Recreate => self.recreated += 1,
                Effect::SetTimer(timer, after) => {
                    self.timers.insert(timer, self.ticks + after);
                }
                Effect::StopTimer(timer) => {
                    self.timers.remove(&timer);
                }
                Effect::Run(job @ (Job::Start { .. } | Job::Fail { .. } | Job::EarlyCrash(_)))
                    if at_once =>
                {
                    urgent.push(job);
                }
                Effect::Run(job) => self.jobs.push_back(job),
                Effect::Cancel => self.device.failing = Some(Error::Cancelled),
                Effect::Tell(told) => self.told.push((told.event, told.data)),
                Effect::Resolve(call, answer) => {
                    assert!(self.answers.insert(call, Ok(answer)).is_none(), "answered twice");
                }
                Effect::Reject(call, failure) => {
                    let answer = Err(failure.code);
                    assert!(self.answers.insert(call, answer).is_none(), "answered twice");
                }
                Effect::Note(note) => assert!(note.len() <= 128),
                Effect::Log(text) => assert!(!text.is_empty()),
            }
        }
        for job in urgent {
            let (events, done) = self.device.work(job, self.metered);
            assert!(events.is_empty());
            self.on(Event::Done(done));
        }
        if !self.slow {
            self.work();
        }
    }

    /// The old page is gone: what waits for that is shown.
    pub(super) fn blank(&mut self) {
        let Some((launch, folder)) = self.waits.take() else { return };
        self.shown.push(folder);
        self.on(Event::Shown { launch, alone: self.alone });
        if self.navigates {
            self.on(Event::Navigated);
        }
    }

    /// Does the jobs that wait on one lane, the other one being held up.
    pub(super) fn work_on(&mut self, lane: Lane) {
        while let Some(at) = self.jobs.iter().position(|job| job.lane() == lane) {
            let job = self.jobs.remove(at).unwrap();
            let (events, done) = self.device.work(job, self.metered);
            events.into_iter().for_each(|event| self.on(event));
            self.on(Event::Done(done));
        }
    }

    /// Does the next job that waits, and has not come to tell of its end.
    pub(super) fn work_half(&mut self) {
        if let Some(job) = self.jobs.pop_front() {
            self.ended.push_back(self.device.work(job, self.metered));
        }
    }

    /// Does all jobs that wait.
    pub(super) fn work(&mut self) {
        loop {
            if self.ended.is_empty() {
                self.work_half();
            }
            let Some((events, done)) = self.ended.pop_front() else { break };
            events.into_iter().for_each(|event| self.on(event));
            self.on(Event::Done(done));
        }
    }

    /// Lets time pass, timers included.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let end = self.ticks + Duration::from_millis(milliseconds);
        loop {
            let due = self.timers.iter().min_by_key(|(_, at)| **at);
            let Some((timer, at)) = due.map(|(timer, at)| (*timer, *at)) else { break };
            if at > end {
                break;
            }
            self.timers.remove(&timer);
            self.ticks = self.ticks.max(at);
            self.on(Event::Timer(timer));
        }
        self.ticks = end;
    }

    pub(super) fn call(&mut self, method: &str, options: Value) -> String {
        self.calls += 1;
        let call = format!("call {}", self.calls);
        let parsed = Call::parse(method, &options.to_string());
        self.on(Event::Call(call.clone(), parsed));
        call
    }

    pub(super) fn answer(&mut self, method: &str, options: Value) -> Result<Value, &'static str> {
        let call = self.call(method, options);
        self.answers.remove(&call).unwrap_or_else(|| panic!("{method} was not answered"))
    }

    /// Starts, and loads a page that attaches as `nonce`.
    pub(super) fn start(&mut self, nonce: &str) {
        self.on(Event::Start { exit: None, seen: true });
        self.on(Event::Active);
        self.answer("attach", json!({ "nonce": nonce })).unwrap();
    }

    pub(super) fn ready(&mut self, nonce: &str) -> Result<Value, &'static str> {
        self.answer("ready", json!({ "nonce": nonce }))
    }

    pub(super) fn tells(&self, event: &str) -> usize {
        self.told.iter().filter(|(told, _)| *told == event).count()
    }

    pub(super) fn shows(&self) -> Option<PathBuf> {
        self.shown.last().unwrap().clone()
    }
}
