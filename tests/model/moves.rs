//! What can happen to a phone: every call of the app, cut short at every effect, and what the world
//! does meanwhile. Calls exclude each other by the lock, so each is one move.

use farad::boot::{Effect, Event, Launch, Outcome, Plan, Reason, Record, Refusal, Standing, Which};

use crate::designs::Design;
use crate::state::{
    ATTEMPTS, Folder, Held, Process, Setting, State, id, number, small_which, token, which,
};

/// A phone after a move, or the invariant that the move broke.
pub type After = Result<State, &'static str>;

/// All moves from one state, each with what it is called.
pub struct Moves<'a> {
    pub design: &'a dyn Design,
    pub setting: &'a Setting,
    pub after: Vec<(&'static str, After)>,
}

/// How far a list of effects was carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    /// The process died.
    Killed,
    /// The next effect failed, and the process goes on.
    Failed,
}

impl Moves<'_> {
    /// Fills `after` with every move from `state`.
    pub fn all(&mut self, state: &State) {
        let processes = if self.setting.second_process { 2 } else { 1 };
        for process in 0..processes {
            self.start(state, process);
            self.without_lock(state, process);
            self.page(state, process);
        }
        for target in 0..=2 {
            self.sync(state, target, false);
            if self.setting.page {
                self.sync(state, target, true);
            }
        }
        self.collect_move(state);
        if self.setting.page {
            self.event("apply", state, None, &Event::Apply);
            self.event("reset", state, None, &Event::Reset);
            self.event("a sync ends well", state, None, &Event::Synced);
        }
        self.world(state);
    }

    fn add(&mut self, name: &'static str, after: After) {
        self.after.push((name, after));
    }

    /// The app starts; the system may say that it had ended the last run itself.
    fn start(&mut self, state: &State, process: usize) {
        for excused in [false, true] {
            if excused && state.record.is_none() {
                continue;
            }
            let Plan { record, effects, launch, otherwise } = self.plan(state, excused);
            for (end, mut after, done) in self.carry_out(state, &effects, &record) {
                let counted = done.iter().find_map(|effect| match effect {
                    Effect::Mark(id) => Some(usize::from(number(id)) - 1),
                    _ => None,
                });
                if let (Some(at), true) = (counted, end != End::Done) {
                    after.lost[at] = (after.lost[at] + 1).min(ATTEMPTS);
                }
                match end {
                    End::Done => {
                        let launched = self.launch(after, process, &launch);
                        self.add("start", launched);
                    }
                    End::Failed => {
                        let launched = self.launch(after, process, &otherwise);
                        self.add("start with a write that fails", launched);
                    }
                    End::Killed => {
                        after.processes[process] = Process::None;
                        self.add("start that is killed", Ok(after));
                    }
                }
            }
        }
    }

    fn plan(&self, state: &State, excused: bool) -> Plan {
        let record = state.read();
        let mut plan = self.with_facts(state, excused, |facts| self.design.start(&record, facts));
        if state.record.is_none() && !plan.effects.contains(&Effect::Write) {
            plan.effects.push(Effect::Write);
        }
        plan
    }

    fn without_lock(&mut self, state: &State, process: usize) {
        let record = state.read();
        let launch =
            self.with_facts(state, false, |facts| self.design.without_lock(&record, facts));
        let launched = self.launch(*state, process, &launch);
        self.add("start without the lock", launched);
    }

    fn with_facts<T>(
        &self,
        state: &State,
        excused: bool,
        work: impl FnOnce(&farad::boot::Facts<'_>) -> T,
    ) -> T {
        let marks = if self.design.keeps_marks() { state.marks } else { [0; 2] };
        state.with_facts(self.setting, marks, excused, work)
    }

    /// A process shows something: the invariants of what may be shown.
    fn launch(&self, mut state: State, process: usize, launch: &Launch) -> After {
        let n = small_which(launch.which);
        if n > 0 {
            let at = usize::from(n) - 1;
            if state.folders[at] != Folder::Whole {
                return Err("a bundle is shown that is not whole");
            }
            if state.blocked[at] {
                return Err("a bundle is shown that was given up");
            }
            if !state.fits(self.setting, n) {
                return Err("a bundle is shown that does not fit the native app");
            }
            match state.standing(self.setting, n) {
                Standing::Revoked => return Err("a revoked bundle is shown"),
                Standing::BelowFloor if !launch.last_resort => {
                    return Err("a bundle below the floor is shown");
                }
                Standing::BelowFloor | Standing::Allowed => {}
            }
            if launch.token.is_some() {
                state.launches[at] += 1;
                if state.launches[at] > ATTEMPTS + 1 {
                    return Err("a bundle is launched again and again without ready");
                }
            } else if !state.proven[at] {
                return Err("a bundle is shown as confirmed that was never ready");
            }
        }
        let held = if launch.token.is_some() { Held::Newest } else { Held::None };
        state.processes[process] = Process::Shows(n, held);
        Ok(state)
    }

    /// What the page or its host says.
    fn page(&mut self, state: &State, process: usize) {
        let Process::Shows(n, held) = state.processes[process] else { return };
        let mut dead = *state;
        dead.processes[process] = Process::None;
        self.add("the process dies", Ok(dead));
        let name = match held {
            Held::Newest => "newest",
            Held::Stale => "stale",
            Held::None => {
                if self.setting.page && n > 0 {
                    self.event("early crash", state, Some(process), &Event::EarlyCrash);
                    self.event("a launch stays up", state, None, &Event::StayedUp);
                }
                return;
            }
        };
        self.ready(state, process, n, name);
        let failed = Event::Failed(token(name), Reason::RendererGone);
        self.event("fail", state, Some(process), &failed);
    }

    fn ready(&mut self, state: &State, process: usize, n: u8, name: &str) {
        let at = usize::from(n) - 1;
        let Ok(outcome) = self.decide(state, &Event::Ready(token(name))) else { return };
        for (end, mut after, done) in self.carry_out(state, &outcome.effects, &outcome.record) {
            after.proven[at] = true;
            if done.contains(&Effect::Write) {
                (after.launches[at], after.lost[at]) = (0, 0);
            }
            after.processes[process] = match end {
                End::Done => Process::Shows(n, Held::None),
                End::Failed => state.processes[process],
                End::Killed => Process::None,
            };
            let after = self.collected(&done, after, &outcome.record);
            self.add("ready", after);
        }
    }

    fn decide(&self, state: &State, event: &Event) -> Result<Outcome, Refusal> {
        let record = state.read();
        self.with_facts(state, false, |facts| self.design.step(&record, event, facts))
    }

    fn event(&mut self, name: &'static str, state: &State, process: Option<usize>, event: &Event) {
        let Ok(outcome) = self.decide(state, event) else { return };
        for (end, mut after, done) in self.carry_out(state, &outcome.effects, &outcome.record) {
            if let (Some(process), End::Killed) = (process, end) {
                after.processes[process] = Process::None;
            }
            let after = self.collected(&done, after, &outcome.record);
            self.add(name, after);
        }
    }

    /// A sync takes what is offered, as far as it may.
    fn sync(&mut self, state: &State, target: u8, hold: bool) {
        if !self.may_take(state, target) {
            return;
        }
        let mut after = *state;
        let event = if target == 0 {
            Event::Chosen(Which::Builtin)
        } else {
            after.folders[usize::from(target) - 1] = Folder::Whole;
            Event::Staged { id: id(target), hold }
        };
        let has = *state == after;
        if has && state.read().heading() == which(target) {
            return;
        }
        if state.faults_left > 0 && !has {
            let committed = State { faults_left: state.faults_left - 1, ..after };
            self.add("sync that is killed after the commit", Ok(committed));
        }
        self.event("sync", &after, None, &event);
    }

    pub fn may_take(&self, state: &State, target: u8) -> bool {
        let allowed = state.standing(self.setting, target) == Standing::Allowed;
        allowed
            && (target == 0
                || state.fits(self.setting, target) && !state.blocked[usize::from(target) - 1])
    }

    fn collect_move(&mut self, state: &State) {
        if state.record.is_some() {
            let record = state.read();
            let after = self.collected(&[Effect::Collect], *state, &record);
            self.add("collection", after);
        }
    }

    /// What the store removes, if one of the effects says so.
    fn collected(&self, done: &[Effect], mut state: State, record: &Record) -> After {
        if !done.contains(&Effect::Collect) {
            return Ok(state);
        }
        for proven in [Some(record.confirmed), record.previous.map(Which::Bundle)] {
            if let Some(Which::Bundle(id)) = proven {
                let at = usize::from(number(&id)) - 1;
                (state.marks[at], state.excused[at]) = (0, false);
            }
        }
        let named: Vec<u8> = record.named().iter().map(number).collect();
        for n in 1..=2_u8 {
            let shows = |process: Process| matches!(process, Process::Shows(m, _) if m == n);
            let [own, other] = state.processes.map(shows);
            let spared = own && self.design.spares_own() || other && self.design.spares_others();
            if named.contains(&n) || spared {
                continue;
            }
            if own || other {
                return Err("a bundle is removed that a process shows");
            }
            state.folders[usize::from(n) - 1] = Folder::Absent;
        }
        Ok(state)
    }

    /// What nobody asked for.
    fn world(&mut self, state: &State) {
        if self.setting.policy {
            for at in 0..2 {
                if !state.revoked[at] {
                    let mut after = *state;
                    after.revoked[at] = true;
                    self.add("revocation", Ok(after));
                }
            }
            if !state.floor {
                self.add("floor", Ok(State { floor: true, ..*state }));
            }
            self.event("policy", state, None, &Event::Policy);
        }
        if state.upgrades_left > 0 {
            let after = State {
                upgraded: !state.upgraded,
                upgrades_left: state.upgrades_left - 1,
                processes: [Process::None; 2],
                ..*state
            };
            self.add("store update", Ok(after));
        }
        if state.faults_left > 0 {
            let faults_left = state.faults_left - 1;
            if state.record.is_some() {
                let mut after = State { record: None, faults_left, ..*state };
                for at in 0..2 {
                    if after.proven[at] {
                        // Nothing is left that says it was ready; its marks may be.
                        after.lost[at] = after.lost[at].max(after.marks[at]).min(ATTEMPTS);
                    }
                }
                self.add("loss of the record", Ok(after));
            }
            for at in 0..2 {
                if state.folders[at] == Folder::Whole {
                    let mut after = State { faults_left, ..*state };
                    after.folders[at] = Folder::Damaged;
                    self.add("damage", Ok(after));
                }
            }
        }
    }

    /// Every way in which the effects of one call end, with the state after and what was done.
    fn carry_out(
        &self,
        state: &State,
        effects: &[Effect],
        record: &Record,
    ) -> Vec<(End, State, Vec<Effect>)> {
        let mut ends = Vec::new();
        let mut so_far = *state;
        for (at, effect) in effects.iter().enumerate() {
            if state.faults_left > 0 {
                let faults_left = state.faults_left - 1;
                let cut = State { faults_left, ..so_far };
                let done = effects[..at].to_vec();
                ends.push((End::Killed, cut, done.clone()));
                if *effect != Effect::Collect {
                    ends.push((End::Failed, cut, done));
                }
            }
            apply(&mut so_far, effect, record);
        }
        if state.faults_left > 0 && !effects.is_empty() {
            let cut = State { faults_left: state.faults_left - 1, ..so_far };
            ends.push((End::Killed, cut, effects.to_vec()));
        }
        ends.push((End::Done, so_far, effects.to_vec()));
        ends
    }
}

fn apply(state: &mut State, effect: &Effect, record: &Record) {
    let at = |id| usize::from(number(id)) - 1;
    match effect {
        Effect::ForgetNative => {
            (state.marks, state.excused, state.blocked) = ([0; 2], [false; 2], [false; 2]);
            // Another app begins to count anew; the old record may still know of them.
            for at in 0..2 {
                state.lost[at] = (state.lost[at] + state.launches[at]).min(ATTEMPTS);
            }
            state.launches = [0; 2];
        }
        Effect::Block(id, _) => state.blocked[at(id)] = true,
        Effect::Mark(id) => state.marks[at(id)] = (state.marks[at(id)] + 1).min(9),
        Effect::Excuse(id) => state.excused[at(id)] = true,
        Effect::ForgetMarks(id) => {
            (state.marks[at(id)], state.excused[at(id)]) = (0, false);
        }
        Effect::Write => {
            if state.write(record) {
                (state.lost, state.proven) = ([0; 2], [false; 2]);
            }
            if record.trial.as_ref().is_some_and(|trial| trial.token == token("fresh")) {
                for process in &mut state.processes {
                    if let Process::Shows(n, Held::Newest) = *process {
                        *process = Process::Shows(n, Held::Stale);
                    }
                }
            }
        }
        // Done by whoever knows who shows what.
        Effect::Collect => {}
        Effect::ForgetBlocks => unreachable!("no phone of the model is a developer's"),
        Effect::Sight(..) => unreachable!("nobody tells the model who looks"),
    }
}

/// A run without a fault from here: the number of starts until what is offered runs, confirmed or
/// rightly given up; what broke otherwise.
pub fn settles(
    design: &dyn Design,
    setting: &Setting,
    state: &State,
    target: u8,
) -> Result<u8, &'static str> {
    let quiet = Setting { faults: 0, ..*setting };
    let mut moves = Moves { design, setting: &quiet, after: Vec::new() };
    let mut state = State { faults_left: 0, processes: [Process::None; 2], ..*state };
    let mut starts = 0;
    while starts < 6 {
        state = one_start(&mut moves, &state)?;
        starts += 1;
        let blocked = target > 0 && state.blocked[usize::from(target) - 1];
        if blocked {
            let at = usize::from(target) - 1;
            let counted = state.launches[at] + state.lost[at];
            return if counted >= ATTEMPTS { Ok(starts) } else { Err("given up too early") };
        }
        if state.processes[0] == Process::Shows(target, Held::None)
            && state.read().confirmed == which(target)
        {
            return Ok(starts);
        }
        if moves.may_take(&state, target) {
            moves.after.clear();
            moves.sync(&state, target, false);
            if let Some((_, after)) = moves.after.pop() {
                state = after?;
            }
            // The app gives its word, and what rests gets another chance.
            for event in [Event::Apply, Event::Synced] {
                moves.after.clear();
                moves.event("settling", &state, None, &event);
                if let Some((_, after)) = moves.after.pop() {
                    state = after?;
                }
            }
        }
    }
    Err("what is offered is not reached")
}

/// A start, and the page says that it came up.
fn one_start(moves: &mut Moves<'_>, state: &State) -> After {
    moves.after.clear();
    moves.start(state, 0);
    // Without a fault and without an excuse there is one way.
    let state = moves.after.swap_remove(0).1?;
    let Process::Shows(n, Held::Newest) = state.processes[0] else { return Ok(state) };
    moves.after.clear();
    moves.ready(&state, 0, n, "newest");
    moves.after.pop().map_or(Err("ready is refused"), |(_, after)| after)
}
