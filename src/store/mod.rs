//! What is kept on the device, and the hand that carries out what [`crate::boot`] decides.
//!
//! Enters: starts, events, staged bundles. Leaves: what to launch. Every call takes the lock, reads
//! the record, lets the state machine decide, carries its effects out in order and lets go; nothing
//! is remembered in memory but the lease on what this process shows. A start on a confirmed bundle
//! writes nothing.

mod bundles;
pub mod disk;
mod facts;
mod marks;
#[cfg(any(test, feature = "publish"))]
#[doc(hidden)]
pub mod memory;
mod real;
mod recheck;
mod record;
#[cfg(all(test, feature = "publish"))]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use bundles::drop_folder;
pub use disk::{Disk, Entry, Held, NewFile};
pub use marks::Tombstone;
pub use real::RealDisk;
pub use recheck::Rechecked;

use crate::boot::{
    Circumstances, Effect, Event, Facts, Launch, NativeIdentity, Outcome, Record, Refusal, Stable,
    Standing, Token, Which, start, step,
};
use crate::error::{Error, Result};
use crate::host::Random;
use crate::id::{BundleId, Channel, InstallId};
use crate::release::{Index, Manifest};
use crate::rollout::Policy;

const LOCK: &str = "lock";
const SYNC_LOCK: &str = "sync.lock";
const INSTALL_ID: &str = "install-id";

/// The store of one app.
pub struct Store {
    disk: Arc<dyn Disk>,
    /// What this process shows.
    lease: Mutex<Option<(BundleId, Box<dyn Held>)>>,
    /// Decisions of this process so far.
    decisions: AtomicU64,
}

/// What the store is told of the world with each call.
pub struct Context<'a> {
    /// The native app that is running.
    pub native: NativeIdentity,
    /// The channel that is followed.
    pub channel: Channel,
    /// Channel and sequence of the built-in bundle, if it is a release.
    pub builtin: Option<(Channel, u64)>,
    /// The newest verified policy of a channel; an error where it cannot be known whether there is one.
    pub policy: &'a dyn Fn(&Channel) -> Result<Option<Policy>>,
    /// Launches that a bundle gets to say it is ready.
    pub max_attempts: u32,
    /// A fresh token.
    pub token: Token,
    /// What is known of this start, if it is one.
    pub circumstances: Circumstances,
}

/// What the store holds, for reports.
#[derive(Debug, Clone)]
pub struct Holdings {
    /// The record, or that of a device that was never started.
    pub record: Record,
    /// Signed manifests of the bundles on the device.
    pub bundles: Vec<(BundleId, Manifest)>,
    /// Bundles that were given up.
    pub blocked: Vec<(BundleId, Option<Tombstone>)>,
    /// What would run if nothing were on trial.
    pub stable: Stable,
    /// What the policies say of the built-in bundle.
    pub builtin: Standing,
}

/// A bundle that is being made; dropping it leaves a stray that the next collection removes.
#[derive(Debug)]
pub struct Staging {
    id: BundleId,
}

impl Staging {
    /// The folder for the files, relative to the store.
    #[must_use]
    pub fn folder(&self) -> String {
        bundles::staging_files(&self.id)
    }
}

impl Store {
    /// The store on `disk`. Reads and writes nothing yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, lease: Mutex::new(None), decisions: AtomicU64::new(0) }
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// This installation's id, drawn and kept at the first call.
    ///
    /// # Errors
    /// [`Error::Busy`] at a first call; [`Error::Storage`] where it can be neither read nor kept.
    pub fn install_id(&self, random: &dyn Random) -> Result<InstallId> {
        let failed = |error| Error::storage("the install id", error);
        let kept = || -> Result<Option<InstallId>> {
            let bytes = disk::read_small(&*self.disk, INSTALL_ID, 64).map_err(failed)?;
            Ok(bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()))
        };
        if let Some(id) = kept()? {
            return Ok(id);
        }
        // Two processes must not keep two.
        let _lock = self.lock(LOCK)?.ok_or(Error::Busy("change of state"))?;
        if let Some(id) = kept()? {
            return Ok(id);
        }
        let bytes = random.bytes().ok_or_else(|| failed(std::io::Error::other("no randomness")))?;
        let id = InstallId::from_random(bytes);
        disk::replace(&*self.disk, "", INSTALL_ID, id.as_str().as_bytes()).map_err(failed)?;
        Ok(id)
    }

    /// Decides what this start launches, and makes durable what must be before it does. Never
    /// fails: where storage does, what needs no storage runs. With it comes its number, as of
    /// [`Store::number`].
    pub fn boot(&self, context: &Context<'_>) -> (Launch, u64) {
        // Held until the lease is: nothing is collected between the decision and the lease.
        let lock = self.lock(LOCK).unwrap_or_else(|error| {
            log::warn!("no lock: {error}");
            None
        });
        let number = self.number();
        let launch = self.decide(context, lock.is_some()).unwrap_or_else(|error| {
            log::error!("starting on the built-in bundle: {error}");
            builtin_launch()
        });
        (launch, number)
    }

    /// Numbers a decision of this process. Of two that were made at once, the higher number is that of
    /// the one that the record and the lease are about, whichever is heard of first.
    pub fn number(&self) -> u64 {
        self.decisions.fetch_add(1, Ordering::SeqCst).saturating_add(1)
    }

    fn decide(&self, context: &Context<'_>, locked: bool) -> Result<Launch> {
        // An unreadable record is not a lost one: nothing may be written then.
        let loaded =
            record::load(&*self.disk).map_err(|error| Error::storage("the record", error))?;
        let lost = loaded.is_none();
        let record = loaded.unwrap_or_else(|| fresh_record(context));
        let launch = self.with_facts(context, |facts| {
            if !locked {
                log::warn!("the lock is not to be had: nothing is tried and nothing written");
                return Ok(stable_without_lock(&record, facts));
            }
            let mut plan = start(&record, facts);
            if lost && !plan.effects.contains(&Effect::Write) {
                plan.effects.push(Effect::Write);
            }
            match self.carry_out(&plan.effects, &mut plan.record, facts) {
                Ok(()) => Ok(plan.launch),
                Err(error) => {
                    log::error!("nothing is tried at this start: {error}");
                    Ok(plan.otherwise)
                }
            }
        })?;
        if self.hold(launch.which) || locked {
            return Ok(launch);
        }
        // Whoever has the lock may be removing the bundle right now.
        Ok(builtin_launch())
    }

    /// Tells the state machine what happened.
    ///
    /// # Errors
    /// [`Error::StaleToken`] for a token of another launch; [`Error::NotAllowed`] for a bundle that
    /// may not run, or may not be deleted; [`Error::Busy`] where another process has the lock; storage errors, after which
    /// the old record or the new one holds.
    pub fn tell(&self, context: &Context<'_>, event: &Event) -> Result<Outcome> {
        let lock = self.lock(LOCK)?.ok_or(Error::Busy("change of state"))?;
        let loaded =
            record::load(&*self.disk).map_err(|error| Error::storage("the record", error))?;
        let record = loaded.unwrap_or_else(|| fresh_record(context));
        let outcome = self.with_facts(context, |facts| {
            let mut outcome = step(&record, event, facts).map_err(|refusal| match refusal {
                Refusal::StaleToken => Error::StaleToken,
                Refusal::NotAllowed => Error::NotAllowed("the bundle may not run on this device"),
                Refusal::InUse => Error::NotAllowed("the bundle is confirmed or on trial"),
            })?;
            self.carry_out(&outcome.effects, &mut outcome.record, facts)?;
            Ok(outcome)
        })?;
        drop(lock);
        if outcome.effects.contains(&Effect::Collect)
            && let Err(error) = self.empty_trash()
        {
            log::warn!("{error}");
        }
        Ok(outcome)
    }

    /// Takes the right to sync, held until the guard is dropped. Waits up to 0.2 s for it: a collection
    /// holds it for moments.
    ///
    /// # Errors
    /// [`Error::Busy`] where another sync is under way.
    pub fn begin_sync(&self) -> Result<Box<dyn Held>> {
        self.lock(SYNC_LOCK)?.ok_or(Error::Busy("sync"))
    }

    /// Begins a bundle. Only within [`Store::begin_sync`].
    ///
    /// # Errors
    /// Where storage refuses.
    pub fn stage(&self, id: BundleId) -> Result<Staging> {
        bundles::begin(&*self.disk, &id).map_err(|error| Error::storage("staging", error))?;
        Ok(Staging { id })
    }

    /// Gives up a bundle that is being made, if it is, and the room it takes. One that is left
    /// instead stays until the next collection.
    ///
    /// # Errors
    /// Where storage refuses.
    pub fn abandon(&self, id: &BundleId) -> Result<()> {
        bundles::abandon(&*self.disk, id)
            .map_err(|error| Error::storage("removing what was staged", error))
    }

    /// Moves what was staged so far aside, and begins anew. Returns where it is, relative to the store;
    /// it is to be removed before the bundle is committed.
    ///
    /// # Errors
    /// Where storage refuses.
    pub fn set_aside(&self, staging: &Staging) -> Result<String> {
        bundles::set_aside(&*self.disk, &staging.id)
            .map_err(|error| Error::storage("staging", error))
    }

    /// Commits a bundle whose files are all written and synced; durable and whole when it returns.
    ///
    /// # Errors
    /// Where storage refuses; there is no such bundle then.
    pub fn commit(&self, staging: &Staging, manifest: &[u8], index: &Index) -> Result<()> {
        bundles::commit(&*self.disk, &staging.id, manifest, index)
            .map_err(|error| Error::storage("committing the bundle", error))
    }

    /// Whether `id` is on the device, complete and as far as a start can tell undamaged.
    #[must_use]
    pub fn has(&self, id: &BundleId) -> bool {
        // Files whose manifest is damaged are of no use: nobody could say what they are.
        bundles::sound(&*self.disk, id).unwrap_or(false) && self.manifest(id).is_some()
    }

    /// Whether anything of `id` is on the device, sound or not.
    ///
    /// # Errors
    /// Where storage cannot be read.
    pub fn holds(&self, id: &BundleId) -> Result<bool> {
        let ids = bundles::ids(&*self.disk);
        Ok(ids.map_err(|error| Error::storage("reading the bundles", error))?.contains(id))
    }

    /// The signed manifest of a bundle on the device.
    #[must_use]
    pub fn manifest(&self, id: &BundleId) -> Option<Manifest> {
        bundles::manifest(&*self.disk, id).ok().flatten()
    }

    /// The index of a committed bundle.
    #[must_use]
    pub fn index(&self, id: &BundleId) -> Option<Index> {
        bundles::index(&*self.disk, id).ok().flatten()
    }

    /// The folder with the files of a committed bundle, relative to the store.
    #[must_use]
    pub fn files_folder(&self, id: &BundleId) -> String {
        bundles::files_folder(id)
    }

    /// Removes what nothing names, and what killed runs left behind. Only within
    /// [`Store::begin_sync`].
    ///
    /// # Errors
    /// The first of what could not be removed; all the rest is gone all the same.
    pub fn collect(&self) -> Result<()> {
        let lock = self.lock(LOCK)?.ok_or(Error::Busy("change of state"))?;
        let loaded =
            record::load(&*self.disk).map_err(|error| Error::storage("the record", error))?;
        let moved = match loaded {
            Some(record) => self.collect_for(&record, false),
            // A lost record names nothing; the next start writes one.
            None => Ok(()),
        };
        drop(lock);
        moved.and(self.empty_trash())
    }

    /// Removes what collections moved out of the way. No lock is held meanwhile: neither `ready` nor a
    /// sync has to wait until thousands of files are gone.
    fn empty_trash(&self) -> Result<()> {
        bundles::empty_trash(&*self.disk).map_err(|error| Error::storage("tidying up", error))
    }

    /// What the store holds.
    ///
    /// # Errors
    /// Where storage cannot be read.
    pub fn holdings(&self, context: &Context<'_>) -> Result<Holdings> {
        let reading = |error| Error::storage("reading the store", error);
        let record = record::load(&*self.disk).map_err(reading)?;
        let record = record.unwrap_or_else(|| fresh_record(context));
        let mut found = Vec::new();
        for id in bundles::ids(&*self.disk).map_err(reading)? {
            if let Some(manifest) = bundles::manifest(&*self.disk, &id).map_err(reading)? {
                found.push((id, manifest));
            }
        }
        let blocked = marks::blocked(&*self.disk).map_err(reading)?;
        let (stable, builtin) = self.with_facts(context, |facts| {
            Ok((Stable::of(&record, facts), facts.builtin.standing))
        })?;
        Ok(Holdings { record, bundles: found, blocked, stable, builtin })
    }

    /// Replaces a small file of somebody else's in the store's folder, under the lock: a collection takes
    /// a file on its way for one that a crash left. Where the lock is not to be had for moments, without.
    ///
    /// # Errors
    /// Where storage refuses; the old bytes or the new ones are there then.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let _lock = self.lock(LOCK)?;
        disk::replace(&*self.disk, "", name, bytes)
            .map_err(|error| Error::storage(format!("keeping the {name}"), error))
    }

    fn lock(&self, path: &str) -> Result<Option<Box<dyn Held>>> {
        disk::lock_soon(&*self.disk, path).map_err(|error| Error::storage(path, error))
    }

    /// Shows the bundle as in use by this process; false if its lease is not to be had.
    fn hold(&self, which: Which) -> bool {
        let lease = match which {
            Which::Builtin => None,
            Which::Bundle(id) => {
                let lease = bundles::lease(&*self.disk, &id).ok().flatten();
                lease.map(|lease| (id, lease))
            }
        };
        let held = lease.is_some() || which == Which::Builtin;
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = lease;
        held
    }

    /// What this process shows, if it is a downloaded bundle.
    #[must_use]
    pub fn showing(&self) -> Option<BundleId> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.as_ref().map(|(id, _)| *id)
    }

    fn carry_out(&self, effects: &[Effect], record: &mut Record, facts: &Facts<'_>) -> Result<()> {
        let (disk, mut written) = (&*self.disk, false);
        for effect in effects {
            let done = match effect {
                Effect::ForgetNative => marks::forget_native(disk, &facts.native),
                Effect::Block(id, reason) => {
                    let tombstone = Tombstone { reason: *reason, native: facts.native.clone() };
                    marks::block(disk, id, &tombstone)
                }
                Effect::Mark(id) => marks::mark(disk, id),
                Effect::Excuse(id) => marks::excuse(disk, id),
                Effect::Sight(id, away) => marks::sight(disk, id, *away),
                Effect::ForgetMarks(id) => marks::forget_marks(disk, id),
                Effect::ForgetBlocks => marks::forget_blocks(disk),
                Effect::Write => record::save(disk, record),
                Effect::Collect => {
                    // Tidying up is not worth failing for.
                    if let Err(error) = self.collect_for(record, true) {
                        log::warn!("not everything could be tidied up: {error}");
                    }
                    Ok(())
                }
            };
            match (done, effect) {
                // What was decided is durable. A start that finds them on what is confirmed, and every
                // collection, forgets them again; on what is blocked they change nothing.
                (Err(error), Effect::ForgetMarks(id)) if written => {
                    log::warn!("marks of {id}: {error}");
                }
                (done, _) => done.map_err(|error| Error::storage(format!("{effect:?}"), error))?,
            }
            written |= *effect == Effect::Write;
        }
        Ok(())
    }

    /// Moves what the record does not name out of the way, for [`Store::empty_trash`]; nothing while a
    /// sync is under way elsewhere, which does so at its end.
    fn collect_for(&self, record: &Record, outside_sync: bool) -> Result<()> {
        let disk = &*self.disk;
        let tidying = |error| Error::storage("tidying up", error);
        // A crash between confirming and this left marks that would count against a later trial.
        let proven = match record.confirmed {
            Which::Bundle(id) => Some(id),
            Which::Builtin => None,
        };
        for id in proven.into_iter().chain(record.previous) {
            marks::forget_marks(disk, &id).map_err(tidying)?;
        }
        let sync = if outside_sync { disk.lock(SYNC_LOCK, true).map_err(tidying)? } else { None };
        if outside_sync && sync.is_none() {
            return Ok(());
        }
        bundles::collect(disk, &record.named()).map_err(tidying)
    }
}

/// What another process than the one with the lock may show: what is confirmed under this app.
fn stable_without_lock(record: &Record, facts: &Facts<'_>) -> Launch {
    if record.native != facts.native {
        return builtin_launch();
    }
    let Stable { which, last_resort } = Stable::of(record, facts);
    Launch { which, token: None, undone: None, last_resort }
}

fn builtin_launch() -> Launch {
    Launch { which: Which::Builtin, token: None, undone: None, last_resort: false }
}

fn fresh_record(context: &Context<'_>) -> Record {
    Record::new(context.native.clone(), context.channel.clone())
}
