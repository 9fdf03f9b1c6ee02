//! A sync: look, fetch what is new, stage it for the next start.

use serde::Serialize;

use super::install::{Held, Install};
use super::ledger::{Allowance, Ledger};
use super::look::{Candidate, Seen};
use super::meter::Meter;
use super::remote::Remote;
use super::story::Story;
use super::{Release, Updater};
use crate::boot::{Event, Which};
use crate::error::{Error, Result};
use crate::id::BundleId;
use crate::progress::{Cancel, Progress};
use crate::release::bundle_id;
use crate::rollout::{Choice, Offered, Verdict};
use crate::unpack::Folder;

/// How a check or a sync ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The device has what it should have.
    UpToDate,
    /// A check found something to fetch.
    Available,
    /// Something else runs from the next start on.
    Staged,
    /// Something is downloaded and waits for the app's word.
    Held,
    /// What is offered does not run on this native app.
    Incompatible,
    /// Nothing is offered to this device.
    NotOffered,
    /// What is offered did not come up on this device before.
    Blocked,
    /// No key on this device opens what is offered.
    KeyMissing,
    /// What is offered needs a newer client.
    Unsupported,
}

/// Where the bytes of a bundle came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// All of it was on the device.
    Local,
    /// A patch from a bundle that was on the device.
    Patch,
    /// Some of it was on the device; the rest was fetched as parts of the pack.
    Ranges,
    /// The whole pack was fetched.
    Pack,
}

/// The outcome of a check or a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// How it ended.
    pub status: Status,
    /// The release it is about: what is offered, else what the device has. Nothing for a built-in
    /// bundle that is no release.
    pub release: Option<Release>,
    /// A sync: bytes that travelled, metadata included. A check: bytes that a sync would fetch.
    pub bytes: u64,
    /// Requests that were made.
    pub requests: u64,
    /// Where the bundle came from, if one was staged.
    pub via: Option<Via>,
    /// Why a cheaper way was left for this one, as an error's code.
    pub fallback: Option<&'static str>,
    /// The app should not go on without it.
    pub mandatory: bool,
    /// A check that found something to fetch: the publisher's notes on it.
    pub notes: Option<String>,
}

/// What a sync tells while it runs.
#[derive(Debug)]
pub enum Step<'a> {
    /// There is something to fetch; its `bytes` are those that it takes at most.
    Found(&'a Synced),
    /// Bytes came in.
    Progress(Progress),
}

impl Updater {
    /// Asks what is new; changes no bundle. Blocks; a few requests, one if nothing changed. Where no
    /// patch leads here, index and layout are fetched to tell the bytes; a sync has them then. Notes
    /// are fetched where there are any. Where a sync would be too early for the release, neither is: the
    /// bytes are the most that it can be.
    ///
    /// # Errors
    /// Network, trust and storage errors. What runs goes on running.
    pub fn check(&self, cancel: &Cancel) -> Result<Synced> {
        let _sync = self.store.begin_sync()?;
        let (mut story, mut remote) = (Story::new(&*self.clock), self.remote(cancel));
        let found = self.check_now(&mut remote);
        match &found {
            Ok(found) => story.checked(found, &remote),
            Err(error) => story.failed(error, &remote),
        }
        self.record(story.take());
        found
    }

    fn check_now(&self, remote: &mut Remote<'_>) -> Result<Synced> {
        let seen = self.look(remote)?;
        let mut found = self.outcome(&seen)?;
        if let Some(candidate) = self.to_fetch(&seen) {
            (found.bytes, found.notes) = self.preview(candidate, remote)?;
        }
        found.requests = remote.requests;
        Ok(found)
    }

    /// Brings the device to what it is offered: fetches, verifies, stages. It runs from the next
    /// start on. Blocks; `progress` is called from this thread.
    ///
    /// # Errors
    /// Network, trust and storage errors, [`Error::Cancelled`], [`Error::Busy`]. What runs goes on
    /// running, and the next sync starts from what was verified.
    pub fn sync(&self, cancel: &Cancel, progress: &mut dyn FnMut(Progress)) -> Result<Synced> {
        self.sync_watched(self.config.hold, cancel, &mut |step| match step {
            Step::Found(_) => {}
            Step::Progress(so_far) => progress(so_far),
        })
    }

    /// As [`Updater::sync`], telling what was found before it is fetched. With `hold` what is
    /// staged waits for [`Updater::apply`].
    ///
    /// # Errors
    /// As [`Updater::sync`].
    pub fn sync_watched(
        &self,
        hold: bool,
        cancel: &Cancel,
        watch: &mut dyn FnMut(Step<'_>),
    ) -> Result<Synced> {
        let _sync = self.store.begin_sync()?;
        let mut story = Story::new(&*self.clock);
        let done = self.with_room(|| {
            story = Story::new(&*self.clock);
            let mut remote = self.remote(cancel);
            let done = self.sync_now(hold, &mut remote, watch, &mut story);
            if let Err(error) = &done {
                story.failed(error, &remote);
            }
            done
        });
        self.record(story.take());
        done
    }

    fn sync_now(
        &self,
        hold: bool,
        remote: &mut Remote<'_>,
        watch: &mut dyn FnMut(Step<'_>),
        story: &mut Story<'_>,
    ) -> Result<Synced> {
        let seen = self.look(remote)?;
        let mut done = self.outcome(&seen)?;
        story.checked(&done, remote);
        if done.status == Status::Available {
            if let Some(candidate) = self.to_fetch(&seen) {
                let bytes = self.at_most(candidate, remote)?;
                watch(Step::Found(&Synced { bytes, ..done.clone() }));
            }
            let progress = &mut |so_far| watch(Step::Progress(so_far));
            let (via, fallback) = match self.to_fetch(&seen) {
                Some(candidate) => {
                    let came = self.fetch(candidate, remote, progress)?;
                    let id = bundle_id(&candidate.bytes);
                    self.tell(&Event::Staged { id, hold })?;
                    came
                }
                None => {
                    self.tell(&match self.chosen(&seen) {
                        Which::Bundle(id) => Event::Staged { id, hold },
                        which @ Which::Builtin => Event::Chosen(which),
                    })?;
                    (Via::Local, None)
                }
            };
            (done.via, done.fallback) = (Some(via), fallback);
            done.status = self.waiting()?;
            story.taken(&done, remote);
        }
        // Before anything else can go wrong or end the process.
        self.record(story.take());
        self.tidy_up();
        self.tidy_outbox();
        if let Err(error) = self.tell(&Event::Synced) {
            // What was staged is staged. A bundle that rests does so until the next sync.
            log::warn!("{error}");
        }
        (done.bytes, done.requests) = (remote.bytes(), remote.requests);
        Ok(done)
    }

    /// What a choice means, before anything is fetched.
    fn outcome(&self, seen: &Seen) -> Result<Synced> {
        let (at, status) = match seen.choice {
            Choice::Take(at) => (Some(at), Status::Available),
            Choice::UpToDate => (None, self.waiting_or(Status::UpToDate)?),
            Choice::NotOffered if seen.unsupported => (None, Status::Unsupported),
            Choice::NotOffered => (None, Status::NotOffered),
            Choice::Refused(at, verdict) => (Some(at), refused(verdict)?),
            // What waits takes over first, whatever a newer app would have.
            Choice::Behind(at, verdict) => {
                let status = refused(verdict)?;
                let told = self.waiting_or(status)?;
                ((told == status).then_some(at), told)
            }
        };
        let offer = at.and_then(|at| seen.offers.get(at));
        let fetched = |id: &BundleId| {
            let mut judged = seen.candidates.values();
            judged.find(|candidate| bundle_id(&candidate.bytes) == *id).map(|c| c.manifest.clone())
        };
        let about = match offer.map(|offer| offer.release) {
            Some(Offered::Release { manifest, .. }) => Which::Bundle(BundleId(manifest)),
            Some(Offered::Builtin) => Which::Builtin,
            None => seen.heading,
        };
        let release = match about {
            Which::Bundle(id) => fetched(&id)
                .or_else(|| self.store.manifest(&id))
                .map(|manifest| Release::of(id, &manifest)),
            Which::Builtin => self.embed.as_ref().map(Release::embedded),
        };
        Ok(Synced {
            status,
            release,
            bytes: 0,
            requests: 0,
            via: None,
            fallback: None,
            mandatory: offer.is_some_and(|offer| offer.mandatory),
            notes: None,
        })
    }

    /// The release to fetch, if the choice is one that is not on the device.
    fn to_fetch<'a>(&self, seen: &'a Seen) -> Option<&'a Candidate> {
        match (seen.choice, self.chosen(seen)) {
            (Choice::Take(_), Which::Bundle(id)) if !self.store.has(&id) => {
                seen.candidates.values().find(|candidate| bundle_id(&candidate.bytes) == id)
            }
            _ => None,
        }
    }

    fn chosen(&self, seen: &Seen) -> Which {
        let offer = match seen.choice {
            Choice::Take(at) => seen.offers.get(at),
            _ => None,
        };
        match offer.map(|offer| offer.release) {
            Some(Offered::Release { manifest, .. }) => Which::Bundle(BundleId(manifest)),
            _ => Which::Builtin,
        }
    }

    /// Whether something waits for the next start or for the app's word.
    fn waiting(&self) -> Result<Status> {
        self.waiting_or(Status::Staged)
    }

    fn waiting_or(&self, otherwise: Status) -> Result<Status> {
        let record = self.with_context(|context| self.store.holdings(context))?.record;
        Ok(match (record.held, record.next) {
            (Some(_), _) => Status::Held,
            (None, Some(_)) => Status::Staged,
            (None, None) => otherwise,
        })
    }

    fn remote<'a>(&'a self, cancel: &'a Cancel) -> Remote<'a> {
        let (clock, random) = (&*self.clock, &*self.random);
        Remote::new(&self.mirrors, self.config.retries, clock, random, cancel)
    }

    /// Fetches and commits a release, if it is not too early for it.
    fn fetch(
        &self,
        candidate: &Candidate,
        remote: &mut Remote<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Via, Option<&'static str>)> {
        let disk = &**self.store.disk();
        let (id, before) = (bundle_id(&candidate.bytes), remote.bytes());
        let mut ledger = Ledger::load(disk);
        let pack = candidate.manifest.pack.length;
        let allowance = ledger.allowance(self.clock.now(), id, pack)?;
        let outcome = self.installing(candidate, remote, allowance, progress, |install| {
            let brought = install.bring(id, &candidate.manifest)?;
            self.store.commit(&brought.staging, &candidate.bytes, &brought.index)?;
            Ok((brought.via, brought.fallback))
        });
        if outcome.is_err()
            && let Err(error) = self.store.abandon(&id)
        {
            log::warn!("{error}");
        }
        let moved = remote.bytes().saturating_sub(before);
        ledger.note(self.clock.now(), (id, pack), moved, &outcome);
        ledger.save(disk);
        outcome
    }

    /// Gathers what fetching a release needs.
    pub(super) fn installing<T>(
        &self,
        candidate: &Candidate,
        remote: &mut Remote<'_>,
        allowance: Allowance,
        progress: &mut dyn FnMut(Progress),
        work: impl FnOnce(&mut Install<'_, '_, '_>) -> Result<T>,
    ) -> Result<T> {
        let disk = &**self.store.disk();
        let installed = self.with_context(|context| self.store.holdings(context))?.bundles;
        let mut held: Vec<Held<'_>> = Vec::new();
        for (id, _) in installed {
            if let Some(index) = self.store.index(&id) {
                let folder = Folder::new(disk, self.store.files_folder(&id), &index);
                held.push(Held::new(index, Box::new(folder)));
            }
        }
        let embedded = self.embed.as_ref().and_then(|embed| embed.parsed_index().ok());
        if let Some(index) = embedded {
            let contents = self.builtin.contents(&index);
            held.push(Held::new(index, Box::new(contents)));
        }
        let meter = Meter::new(allowance, remote, progress);
        work(&mut Install {
            store: &self.store,
            remote,
            meter,
            held: &held,
            max_bundle: self.config.max_bundle,
            app: &self.config.app,
            content: candidate.content.as_ref(),
        })
    }
}

/// How a sync ends at an offer that this device cannot take.
fn refused(verdict: Verdict) -> Result<Status> {
    Ok(match verdict {
        Verdict::Incompatible | Verdict::Outgrown => Status::Incompatible,
        Verdict::Blocked => Status::Blocked,
        Verdict::Unsupported => Status::Unsupported,
        Verdict::KeyMissing => Status::KeyMissing,
        Verdict::BadlySealed => return Err(Error::Seal),
        Verdict::NotAllowed | Verdict::Allowed => Status::NotOffered,
    })
}
