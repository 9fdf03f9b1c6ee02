//! The conductor: the whole path of a bundle, from "is there something new" to "it came up".
//!
//! Enters: the app's configuration, a disk, a transport, a clock. Leaves: what to show at a start,
//! and how a sync ended. Every call blocks the thread it is made on; calls may be made from several
//! threads and processes. A start needs no network and at most reads; a sync changes no bundle that
//! is running.

mod channel;
mod events;
mod install;
mod keep;
mod ledger;
mod look;
mod meter;
mod notice;
mod pack;
mod policies;
mod preview;
mod remote;
mod spool;
mod story;
mod sync;
mod upkeep;
mod whole;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

pub use events::Sent;
pub use notice::{Named, Notice};
pub use sync::{Status, Step, Synced, Via};

use crate::boot::{
    Circumstances, Event, NativeIdentity, Outcome, Reason, Record, Token, Undone, Which,
};
use crate::builtin::{Builtin, Embed};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::fetch::Transport;
use crate::host::{Clock, Random};
use crate::id::{BundleId, Channel, InstallId};
use crate::release::Manifest;
use crate::rollout::Policy;
use crate::seal::OpeningKeys;
use crate::store::{Context, Disk, Store, Tombstone};

/// Keeps one app's bundle up to date.
pub struct Updater {
    config: Config,
    store: Store,
    mirrors: Vec<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    builtin: Builtin,
    embed: Option<Embed>,
    opening: Arc<dyn OpeningKeys>,
    events: Option<events::Events>,
}

/// What a start shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// Which bundle.
    pub which: Which,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// The folder to serve; nothing for the built-in bundle.
    pub path: Option<PathBuf>,
    /// To be handed back with `ready`, if the bundle is on trial.
    pub token: Option<String>,
    /// A bundle that was given up at this start.
    pub undone: Option<Undone>,
    /// Nothing that policy allows was left on the device.
    pub below_floor: bool,
    /// Its place among the starts that this process decided: of two at once, the higher one holds.
    pub number: u64,
}

/// One release as the host may show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Bundle id.
    pub id: BundleId,
    /// Version, for people.
    pub version: String,
    /// Sequence in its channel.
    pub sequence: u64,
    /// Its channel.
    pub channel: Channel,
}

/// What is on the device.
#[derive(Debug, Clone)]
pub struct State {
    /// The record.
    pub record: Record,
    /// The bundles on the device.
    pub releases: Vec<Release>,
    /// Bundles that were given up on this device, and why.
    pub blocked: Vec<(BundleId, Option<Tombstone>)>,
    /// What would run if nothing were on trial.
    pub stable: Which,
    /// Nothing that policy allows is left on the device.
    pub below_floor: bool,
    /// This installation, for allow-lists.
    pub install_id: InstallId,
}

impl Updater {
    /// An updater for one app. Reads the embedded release's description, nothing else.
    #[must_use]
    pub fn new(
        config: Config,
        disk: Arc<dyn Disk>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        builtin: Builtin,
    ) -> Self {
        let embed = builtin.embed(&config.app);
        let (store, mirrors) = (Store::new(disk), vec![transport]);
        let (opening, events) = (Arc::new(Vec::new()), None);
        Self { config, store, mirrors, clock, random, builtin, embed, opening, events }
    }

    /// Opens sealed releases with `keys`; they are asked for at every check and sync, so that a key
    /// may come at any time.
    #[must_use]
    pub fn with_opening_keys(mut self, keys: Arc<dyn OpeningKeys>) -> Self {
        self.opening = keys;
        self
    }

    /// Asks `mirror` too where those before it fail. All serve the same repository; which one
    /// answers is no matter of trust.
    #[must_use]
    pub fn with_mirror(mut self, mirror: Arc<dyn Transport>) -> Self {
        self.mirrors.push(mirror);
        self
    }

    /// Decides what this start shows. Call it once, as the page is about to load. Never fails: the
    /// built-in bundle needs nothing. Writes nothing where a confirmed bundle goes on.
    pub fn boot(&self, excused: bool) -> Launched {
        self.boot_in(Circumstances { excused, ..Circumstances::default() })
    }

    /// Like [`Updater::boot`], by a shell that knows more.
    pub fn boot_in(&self, circumstances: Circumstances) -> Launched {
        let launch = self.in_circumstances(circumstances, |context| Ok(self.store.boot(context)));
        let Ok((launch, number)) =
            launch.inspect_err(|error| log::error!("built-in bundle: {error}"))
        else {
            return Launched {
                which: Which::Builtin,
                version: self.embedded_version(),
                path: None,
                token: None,
                undone: None,
                below_floor: false,
                number: self.number(),
            };
        };
        if let Some(undone) = launch.undone {
            self.keep_notice(undone);
        }
        self.tell_launched(launch.which, launch.token.is_some(), launch.undone);
        let (version, path) = match launch.which {
            Which::Builtin => (self.embedded_version(), None),
            Which::Bundle(id) => {
                let folder = self.store.files_folder(&id);
                (self.version(&id), Some(self.store.disk().full_path(&folder)))
            }
        };
        Launched {
            which: launch.which,
            version,
            path,
            token: launch.token.map(|token| token.as_str().to_owned()),
            undone: launch.undone,
            below_floor: launch.last_resort,
            number,
        }
    }

    /// The number of a start that was decided without the store.
    pub(crate) fn number(&self) -> u64 {
        self.store.number()
    }

    /// The launch with this token came up: its bundle is confirmed, and what is no longer needed is
    /// removed.
    ///
    /// # Errors
    /// [`Error::StaleToken`] where the token is not that of the bundle on trial; nothing changed
    /// then. [`Error::Busy`], storage errors.
    pub fn ready(&self, token: &str) -> Result<()> {
        let outcome = self.tell(&Event::Ready(Token::from_text(token)))?;
        self.tell_confirmed(outcome.record.confirmed);
        Ok(())
    }

    /// The launch with this token did not come up. Returns the bundle if it was given up; otherwise
    /// it has launches left. Start again after this.
    ///
    /// # Errors
    /// As [`Updater::ready`].
    pub fn fail(&self, token: &str, reason: Reason) -> Result<Option<Undone>> {
        let undone = self.tell(&Event::Failed(Token::from_text(token), reason))?.undone;
        undone.into_iter().for_each(|undone| self.keep_notice(undone));
        self.tell_undone(undone);
        Ok(undone)
    }

    /// The launch with this token went out of sight (`away`), or came back. If its process ends out of
    /// sight, and nobody says why, the launch is given back, once for each bundle. Writes a byte.
    ///
    /// # Errors
    /// As [`Updater::ready`].
    pub fn sight(&self, token: &str, away: bool) -> Result<()> {
        self.tell(&Event::Sight { token: Token::from_text(token), away }).map(|_| ())
    }

    /// The confirmed bundle's renderer died within ten seconds of its launch.
    ///
    /// # Errors
    /// [`Error::Busy`], storage errors.
    pub fn early_crash(&self) -> Result<()> {
        let outcome = self.tell(&Event::EarlyCrash)?;
        self.tell_early_crash(outcome.record.confirmed);
        Ok(())
    }

    /// What runs has been up for longer than that, half a minute, say: crashes before are not in a row
    /// with later ones. Writes only where there were any.
    ///
    /// # Errors
    /// [`Error::Busy`], storage errors.
    pub fn stayed_up(&self) -> Result<()> {
        self.tell(&Event::StayedUp).map(|_| ())
    }

    /// What is held may be tried at the next start.
    ///
    /// # Errors
    /// [`Error::Busy`], storage errors.
    pub fn apply(&self) -> Result<()> {
        self.tell(&Event::Apply).map(|_| ())
    }

    /// Back to the built-in bundle at the next start, until a sync finds something else offered.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] where the policy forbids the built-in bundle; [`Error::Busy`]; storage
    /// errors.
    pub fn reset(&self) -> Result<()> {
        self.tell(&Event::Reset).map(|_| ())
    }

    /// Removes a bundle that waits (`next`, `held`) or was confirmed before (`previous`), to make room;
    /// whether it is gone. One that a process still shows, or that a sync under way may read from, goes
    /// with a sync that ends well. The next sync fetches it again if it is offered: deleting forbids
    /// nothing. For native code; no page can ask for it.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] for the bundle that is confirmed or on trial; [`Error::Busy`]; storage
    /// errors.
    pub fn delete_bundle(&self, id: &BundleId) -> Result<bool> {
        self.tell(&Event::Delete(*id))?;
        Ok(!self.store.holds(id)?)
    }

    /// Forgets which bundles were given up on this device, so that a developer's next sync takes them
    /// again. What the publisher revoked stays so. For native code; no page can ask for it.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] in an app that is no debug build ([`Config::debug`]): there a block is
    /// what keeps a bundle that crashes from coming back. [`Error::Busy`]; storage errors.
    pub fn clear_blocks(&self) -> Result<()> {
        if !self.config.debug {
            return Err(Error::NotAllowed("only a debug build forgets blocks"));
        }
        self.tell(&Event::ForgetBlocks).map(|_| ())
    }

    /// What is on the device. Reads, writes nothing but a first install id.
    ///
    /// # Errors
    /// Storage errors.
    pub fn state(&self) -> Result<State> {
        let holdings = self.with_context(|context| self.store.holdings(context))?;
        let release = |(id, manifest): (BundleId, Manifest)| Release::of(id, &manifest);
        Ok(State {
            record: holdings.record,
            releases: holdings.bundles.into_iter().map(release).collect(),
            blocked: holdings.blocked,
            stable: holdings.stable.which,
            below_floor: holdings.stable.last_resort,
            install_id: self.store.install_id(&*self.random)?,
        })
    }

    fn tell(&self, event: &Event) -> Result<Outcome> {
        self.with_context(|context| self.store.tell(context, event))
    }

    /// Gathers what the store must be told of the world, between two starts.
    fn with_context<T>(&self, work: impl FnOnce(&Context<'_>) -> Result<T>) -> Result<T> {
        self.in_circumstances(Circumstances::default(), work)
    }

    fn in_circumstances<T>(
        &self,
        circumstances: Circumstances,
        work: impl FnOnce(&Context<'_>) -> Result<T>,
    ) -> Result<T> {
        let random = self.random.bytes().ok_or_else(|| {
            Error::storage("a launch token", std::io::Error::other("no randomness"))
        })?;
        let followed = self.channel()?;
        let active = self.policy(&followed)?;
        let policy = |channel: &Channel| {
            if *channel == followed { Ok(active.clone()) } else { self.policy(channel) }
        };
        work(&Context {
            native: NativeIdentity {
                native: self.config.native.clone(),
                version: self.config.native_version.clone(),
                embed: self.embed.as_ref().map(|embed| embed.manifest),
            },
            channel: followed.clone(),
            builtin: self.embed.as_ref().map(|embed| (embed.channel.clone(), embed.sequence)),
            policy: &policy,
            max_attempts: self.config.attempts,
            token: Token::from_random(random),
            circumstances,
        })
    }

    /// What is forbidden in a channel, as far as it is known here: by the policy that is kept, and by that
    /// of the day the app was built, of which either may be the newer one.
    fn policy(&self, channel: &Channel) -> Result<Option<Policy>> {
        let kept = policies::load(&**self.store.disk(), &self.config.app, channel)?;
        Ok(match (kept, self.embedded_policy(channel)) {
            (Some(kept), Some(embedded)) => Some(kept.and(&embedded)),
            (kept, embedded) => kept.or(embedded),
        })
    }

    /// The policy that the app was built with, if it is one of `channel`.
    fn embedded_policy(&self, channel: &Channel) -> Option<Policy> {
        self.embed_in(channel).and_then(Embed::parsed_policy)
    }

    /// The embedded release, if it is one of `channel`.
    fn embed_in(&self, channel: &Channel) -> Option<&Embed> {
        self.embed.as_ref().filter(|embed| embed.channel == *channel)
    }

    fn embedded_version(&self) -> Option<String> {
        self.embed.as_ref().map(|embed| embed.version.clone())
    }

    fn version(&self, id: &BundleId) -> Option<String> {
        self.store.manifest(id).map(|manifest| manifest.version)
    }
}

impl Release {
    fn embedded(embed: &Embed) -> Self {
        Self {
            id: BundleId(embed.manifest),
            version: embed.version.clone(),
            sequence: embed.sequence,
            channel: embed.channel.clone(),
        }
    }

    fn of(id: BundleId, manifest: &Manifest) -> Self {
        Self {
            id,
            version: manifest.version.clone(),
            sequence: manifest.sequence,
            channel: manifest.channel.clone(),
        }
    }
}
