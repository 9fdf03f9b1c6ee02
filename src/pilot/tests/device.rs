//! A device that is made up: what the updater and its store would do.

use super::*;

/// A device that knows bundles by number; a higher one is newer.
#[derive(Debug, Default)]
pub(super) struct Device {
    pub(super) confirmed: u8,
    pub(super) trial: Option<(u8, u32, String)>,
    /// A launch was given back.
    pub(super) excused: bool,
    pub(super) next: Option<u8>,
    pub(super) held: Option<u8>,
    pub(super) previous: Option<u8>,
    pub(super) blocked: Vec<u8>,
    pub(super) offered: Option<u8>,
    pub(super) mandatory: bool,
    pub(super) notice: Option<(u8, Reason)>,
    pub(super) tokens: u32,
    /// How often it was decided what runs.
    pub(super) decisions: u64,
    /// How often events were sent.
    pub(super) sendings: u32,
    /// How often what is confirmed crashed early.
    pub(super) early_crashes: u32,
    /// How often its files were hashed again.
    pub(super) rechecks: u32,
    /// Nobody sees the launch on trial.
    pub(super) away: bool,
    /// Nothing can be read: the built-in bundle runs, and nothing is written.
    pub(super) locked: bool,
    /// So many confirmations meet another change of state.
    pub(super) busy: u32,
    /// So many switches do.
    pub(super) busy_switches: u32,
    /// The next job fails with this.
    pub(super) failing: Option<Error>,
}

impl Device {
    /// A start that tries nothing.
    fn boot_stable(&mut self) -> Decided {
        let waits = (self.next.take(), self.trial.take(), self.away);
        let decided = self.boot();
        (self.next, self.trial, self.away) = waits;
        decided
    }

    pub(super) fn boot(&mut self) -> Decided {
        if self.locked {
            self.decisions += 1;
            return self.decided(BUILTIN);
        }
        self.away = false;
        if let Some(next) = self.next.take() {
            if next == BUILTIN {
                (self.confirmed, self.trial, self.previous) = (BUILTIN, None, None);
            } else {
                self.trial = Some((next, 0, String::new()));
            }
        }
        if let Some((number, launches, _)) = self.trial.take() {
            if launches >= 2 {
                self.give_up(number, Reason::NotReady);
            } else {
                self.tokens += 1;
                self.trial = Some((number, launches + 1, format!("token {}", self.tokens)));
            }
        }
        self.decisions += 1;
        self.decided(self.trial.as_ref().map_or(self.confirmed, |trial| trial.0))
    }

    fn decided(&self, shown: u8) -> Decided {
        Decided {
            number: self.decisions,
            which: which(shown),
            bundle: bundle(shown),
            folder: (shown != BUILTIN).then(|| PathBuf::from(format!("/{shown}"))),
            token: self.trial.as_ref().map(|trial| trial.2.clone()),
            notice: self.notice.map(|(number, reason)| Notice { from: bundle(number), reason }),
        }
    }

    pub(super) fn give_up(&mut self, number: u8, reason: Reason) {
        self.trial = None;
        self.blocked.push(number);
        self.notice = Some((number, reason));
    }

    pub(super) fn stored(&self) -> Stored {
        Stored {
            builtin: bundle(BUILTIN),
            confirmed: bundle(self.confirmed),
            next: self.next.map(bundle),
            held: self.held.map(bundle),
            previous: self.previous.map(bundle),
            blocked: Vec::new(),
            channel: "production".parse().unwrap(),
            below_floor: false,
        }
    }

    pub(super) fn look(&self) -> Found {
        let heading = self.next.or(self.held).or(self.trial.as_ref().map(|trial| trial.0));
        let heading = heading.unwrap_or(self.confirmed);
        let status = match self.offered {
            Some(offered) if self.blocked.contains(&offered) => Status::Blocked,
            Some(offered) if offered != heading => Status::Available,
            _ if self.held.is_some() => Status::Held,
            _ if self.next.is_some() => Status::Staged,
            _ => Status::UpToDate,
        };
        let release = Some(bundle(self.offered.unwrap_or(heading)));
        let mandatory = self.mandatory;
        Found { status, release, bytes: 100, via: None, mandatory, notes: None }
    }

    pub(super) fn work(&mut self, job: Job, metered: bool) -> (Vec<Event>, Done) {
        let failing = self.failing.take();
        let or = |done: Done| (Vec::new(), done);
        match job {
            Job::Start { circumstances, .. } => {
                let Circumstances { excused, by_sight, unseen } = circumstances;
                if let Some((_, launches, _)) = &mut self.trial
                    && (excused || (by_sight && self.away))
                    && !self.excused
                {
                    *launches -= 1;
                    self.excused = true;
                }
                or(Done::Started(if unseen { self.boot_stable() } else { self.boot() }))
            }
            Job::Sight { token, away } => {
                if self.trial.as_ref().is_some_and(|trial| trial.2 == token) {
                    self.away = away;
                }
                or(Done::Noted)
            }
            Job::Switch(why) if self.busy_switches > 0 => {
                self.busy_switches -= 1;
                or(Done::Switched { why, decided: Err(Error::Busy("change of state")) })
            }
            Job::Switch(why) => {
                let waits = match &why {
                    Switch::Apply(_) | Switch::Asked(_) => {
                        self.next = self.held.take().or(self.next);
                        self.next.is_some()
                    }
                    Switch::Reset(_) => {
                        self.next = Some(BUILTIN);
                        true
                    }
                    Switch::Failed => true,
                    Switch::Seen { shown, wanted } => {
                        self.next = wanted.then(|| self.held.take()).flatten().or(self.next);
                        let stable = which(self.confirmed);
                        self.next.is_some() || self.trial.is_some() || *shown != stable
                    }
                };
                // What a failure leads to is decided without a step that may fail.
                let failing = failing.filter(|_| why != Switch::Failed);
                let decided = failing.map_or_else(|| Ok(waits.then(|| self.boot())), Err);
                or(Done::Switched { why, decided })
            }
            Job::Fail { token, reason, call } => {
                match self.trial.clone() {
                    Some((number, launches, known)) if known == token && launches >= 2 => {
                        self.give_up(number, reason);
                    }
                    _ => {}
                }
                or(Done::Failed(call))
            }
            Job::EarlyCrash(id) => {
                self.early_crashes += u32::from(which(self.confirmed) == Which::Bundle(id));
                or(Done::Noted)
            }
            Job::StayedUp => {
                self.early_crashes = 0;
                or(Done::Noted)
            }
            Job::Recheck => {
                self.rechecks += 1;
                or(Done::Noted)
            }
            Job::ForgetNotice => {
                self.notice = None;
                or(Done::Noted)
            }
            Job::Confirm { call, launch, token: _ } if self.busy > 0 => {
                self.busy -= 1;
                or(Done::Confirmed(call, launch, Err(Error::Busy("change of state"))))
            }
            Job::Confirm { call, launch, token } => {
                let trial = self.trial.clone().filter(|(_, _, known)| *known == token);
                let outcome = match (failing, trial) {
                    (Some(error), _) => Err(error),
                    (None, None) => Err(Error::StaleToken),
                    (None, Some((number, ..))) => {
                        self.previous = (self.confirmed != BUILTIN).then_some(self.confirmed);
                        (self.confirmed, self.trial) = (number, None);
                        Ok(self.stored())
                    }
                };
                or(Done::Confirmed(call, launch, outcome))
            }
            Job::Sync { hold, spare_metered } => {
                let found = self.look();
                if let Some(error) = failing {
                    return or(Done::Synced(Err(error)));
                }
                if found.status != Status::Available || (spare_metered && metered) {
                    return or(Done::Synced(Ok(found)));
                }
                let offered = self.offered;
                (self.held, self.next) = if hold { (offered, None) } else { (None, offered) };
                let progress = |bytes| Event::Progress(Progress { bytes, total: 4 });
                let mut events = vec![Event::Found(found.clone())];
                events.extend((1..=4).map(progress));
                let status = if hold { Status::Held } else { Status::Staged };
                (events, Done::Synced(Ok(Found { status, via: Some(Via::Pack), ..found })))
            }
            Job::Check => or(Done::Checked(failing.map_or_else(|| Ok(self.look()), Err))),
            Job::Read(asked) => or(Done::Read(asked, Ok(self.stored()))),
            Job::Release => {
                self.next = self.held.take().or(self.next);
                or(Done::Released(Ok(())))
            }
            Job::DeviceInfo(call, _) => or(Done::Answer(call, Ok(json!({})))),
            Job::SendEvents => {
                self.sendings += 1;
                or(Done::Sent)
            }
            Job::SetChannel(call, _) => or(Done::ChannelSet(call, Ok(()))),
        }
    }
}
