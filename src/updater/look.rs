//! Looking: what the repository says now, and which offer this device takes.

use std::collections::BTreeMap;

use super::keep::DiskKeep;
use super::ledger::Ledger;
use super::remote::Remote;
use super::{Updater, policies};
use crate::boot::{Event, Standing, Which};
use crate::error::{Error, Result, TrustError, TrustKind};
use crate::id::{BundleId, Channel};
use crate::limits;
use crate::release::{Manifest, requires, unsupported};
use crate::rollout::{Choice, Device, Offer, Offered, Policy, Rollout, Running, Verdict, choose};
use crate::seal::ContentKey;
use crate::store::Holdings;
use crate::trust::{Order, Session, Setting, with_session};

/// What looking found.
pub(super) struct Seen {
    pub(super) choice: Choice,
    /// What is offered, in order.
    pub(super) offers: Vec<Offer>,
    /// The releases that were judged and are not on the device, by sequence, refused ones too.
    pub(super) candidates: BTreeMap<u64, Candidate>,
    /// What the device has, or will have at the next start.
    pub(super) heading: Which,
    /// Policy or rollout ask for something this client does not know: nothing new is taken.
    pub(super) unsupported: bool,
}

/// A release that may be fetched.
pub(super) struct Candidate {
    /// The manifest's exact bytes.
    pub(super) bytes: Vec<u8>,
    pub(super) manifest: Manifest,
    /// What opens it, if it is sealed.
    pub(super) content: Option<ContentKey>,
}

impl Updater {
    /// Refreshes what is trusted, lets a new policy act at once, and chooses an offer.
    pub(super) fn look(&self, remote: &mut Remote<'_>) -> Result<Seen> {
        let disk = &**self.store.disk();
        let mut ledger = Ledger::load(disk);
        ledger.may_ask(self.clock.now())?;
        let outcome = self.look_around(remote);
        if ledger.note_answer(self.clock.now(), &outcome) {
            ledger.save(disk);
        }
        outcome
    }

    /// Looks at one mirror after the other until one is of use.
    fn look_around(&self, remote: &mut Remote<'_>) -> Result<Seen> {
        let mut keep = DiskKeep::new(self.store.disk().clone());
        let seed = self.embed.as_ref().map(crate::builtin::Embed::seed).unwrap_or_default();
        let setting = Setting {
            root: &self.config.root,
            now: self.clock.now(),
            built: self.config.built,
            order: Order::Hot,
            seed: &seed,
        };
        let mut look = |remote: &mut Remote<'_>| {
            with_session(&setting, &mut keep, remote, |session| self.look_once(session))
        };
        // A mirror that is stale or forged is no reason to give up while there is another.
        let mut outcome = look(remote);
        for _ in 1..remote.mirrors() {
            match &outcome {
                Err(
                    error @ (Error::Trust(_) | Error::Document { .. } | Error::TooLarge { .. }),
                ) => {
                    log::warn!("{error}: asking another mirror");
                    remote.turn();
                    outcome = look(remote);
                }
                _ => break,
            }
        }
        outcome.map_err(unknown_channel)
    }

    fn look_once(&self, session: &mut Session<'_>) -> Result<Seen> {
        let (app, channel) = (&self.config.app, &self.channel()?);
        if session.reset {
            policies::forget(&**self.store.disk())?;
        }
        let policy_is = self.take_policy(session, channel)?;
        let others = self.take_other_policies(session, channel);
        self.tell(&Event::Policy)?;
        others?;

        let rollout = session.target(&channel.rollout_path(), limits::ROLE)?;
        let holdings = self.with_context(|context| self.store.holdings(context))?;
        let mut seen = Seen {
            choice: Choice::NotOffered,
            offers: Vec::new(),
            candidates: BTreeMap::new(),
            heading: holdings.record.heading(),
            unsupported: unsupported(&policy_is.requires).is_some()
                || unsupported(&requires(&rollout, "rollout")?).is_some(),
        };
        if seen.unsupported {
            return Ok(seen);
        }
        let mut rollout = Rollout::parse(&rollout, app, channel)?;
        // The release that is built in needs no download and no trial.
        if let Some(embed) = self.embed_in(channel) {
            for offer in &mut rollout.offers {
                let built_in = |manifest| manifest == embed.manifest;
                if matches!(offer.release, Offered::Release { manifest, .. } if built_in(manifest))
                {
                    offer.release = Offered::Builtin;
                }
            }
        }
        let install = self.store.install_id(&*self.random)?;
        let device = Device { install: &install, heading: self.heading(&holdings, channel) };
        seen.choice = choose(&rollout, &device, |offered| {
            self.judge(offered, session, &policy_is, &holdings, &mut seen.candidates)
        })?;
        seen.offers = rollout.offers;
        Ok(seen)
    }

    /// Verifies the policy of `channel` and keeps it for starts. Returned is what starts go by.
    fn take_policy(&self, session: &mut Session<'_>, channel: &Channel) -> Result<Policy> {
        let bytes = session.target(&channel.policy_path(), limits::ROLE)?;
        let policy = Policy::heed(&bytes, &self.config.app, channel)?;
        policies::save(&**self.store.disk(), channel, &bytes)?;
        Ok(match self.embedded_policy(channel) {
            Some(embedded) => policy.and(&embedded),
            None => policy,
        })
    }

    /// A device that changed channels may still run a release of the old one: what its signers
    /// revoke there must reach it. A channel that is gone or broken, as is signed, is no reason to
    /// stop; a server that does not bring what is signed may keep a revocation back.
    fn take_other_policies(&self, session: &mut Session<'_>, followed: &Channel) -> Result<()> {
        let holdings = self.with_context(|context| self.store.holdings(context))?;
        let mut others: Vec<_> =
            holdings.bundles.into_iter().map(|(_, manifest)| manifest.channel).collect();
        // So may the one that the app brought along.
        others.extend(self.embed.as_ref().map(|embed| embed.channel.clone()));
        others.sort();
        others.dedup();
        let mut outcome = Ok(());
        for channel in others.iter().filter(|channel| *channel != followed) {
            let Err(error) = self.take_policy(session, channel) else { continue };
            log::warn!("the policy of {channel} stays as it was: {error}");
            let signed = match &error {
                Error::Trust(error) => !matches!(
                    error.kind,
                    TrustKind::Missing | TrustKind::HashMismatch | TrustKind::TooLarge
                ),
                error => matches!(error, Error::Document { .. }),
            };
            // The others' may have come.
            if !signed {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// What the device is heading for, as an offer would name it.
    fn heading(&self, holdings: &Holdings, channel: &Channel) -> Running {
        match holdings.record.heading() {
            Which::Builtin => Running::Named(Offered::Builtin),
            Which::Bundle(id) if !self.store.has(&id) => Running::Damaged(id.0),
            Which::Bundle(id) => match holdings.bundles.iter().find(|(other, _)| *other == id) {
                Some((_, manifest)) if manifest.channel == *channel => {
                    let sequence = manifest.sequence;
                    Running::Named(Offered::Release { sequence, manifest: id.0 })
                }
                _ => Running::Other,
            },
        }
    }

    /// Whether an offer may be taken here at all.
    fn judge(
        &self,
        offered: &Offered,
        session: &mut Session<'_>,
        policy: &Policy,
        holdings: &Holdings,
        candidates: &mut BTreeMap<u64, Candidate>,
    ) -> Result<Verdict> {
        let (app, channel) = (&self.config.app, &policy.channel);
        let embedded = self.embed_in(channel).map_or(0, |embed| embed.sequence);
        let (sequence, digest) = match *offered {
            Offered::Builtin if holdings.builtin == Standing::Allowed => {
                return Ok(Verdict::Allowed);
            }
            Offered::Builtin => return Ok(Verdict::NotAllowed),
            Offered::Release { sequence, manifest } => (sequence, manifest),
        };
        if policy.revokes(sequence) || sequence < policy.floor.max(embedded) {
            return Ok(Verdict::NotAllowed);
        }
        let path = channel.release_path(sequence);
        let listed = match session.find(&path) {
            Ok(listed) => listed,
            Err(Error::Trust(error)) if error.kind == TrustKind::TargetNotFound => {
                return Ok(Verdict::NotAllowed);
            }
            Err(error) => return Err(error),
        };
        if listed.hashes.get("sha256") != Some(&digest.to_string()) {
            return Ok(Verdict::NotAllowed);
        }
        if holdings.blocked.iter().any(|(id, _)| *id == BundleId(digest)) {
            return Ok(Verdict::Blocked);
        }
        let installed = holdings.bundles.iter().find(|(id, _)| *id == BundleId(digest));
        if let Some((id, manifest)) = installed
            && self.store.has(id)
        {
            // The bundle's own copy: its digest is the bundle's id. It was opened when it came.
            return Ok(self.judge_manifest(manifest));
        }
        let bytes = session.target(&path, limits::MANIFEST)?;
        if unsupported(&requires(&bytes, "manifest")?).is_some() {
            return Ok(Verdict::Unsupported);
        }
        let manifest = Manifest::parse(&bytes, app, channel, sequence)?;
        let (verdict, content) = match (self.judge_manifest(&manifest), &manifest.seal) {
            (Verdict::Allowed, Some(seal)) => match seal.open(app, &*self.opening) {
                Ok(Some(content)) => (Verdict::Allowed, Some(content)),
                Ok(None) => (Verdict::KeyMissing, None),
                Err(Error::Seal) => (Verdict::BadlySealed, None),
                Err(error) => return Err(error),
            },
            (verdict, _) => (verdict, None),
        };
        // Also one that is refused: the host may want to say which.
        candidates.insert(sequence, Candidate { bytes, manifest, content });
        Ok(verdict)
    }

    /// What a manifest says of this client and this native app.
    fn judge_manifest(&self, manifest: &Manifest) -> Verdict {
        if unsupported(&manifest.requires).is_some() {
            Verdict::Unsupported
        } else if manifest.native.ends_before(&self.config.native) {
            Verdict::Outgrown
        } else if !manifest.native.covers(&self.config.native) {
            Verdict::Incompatible
        } else if manifest.seal.is_none() && self.config.sealed.contains(&manifest.channel) {
            Verdict::BadlySealed
        } else {
            Verdict::Allowed
        }
    }
}

/// A channel without a policy is one that the repository does not have.
fn unknown_channel(error: Error) -> Error {
    match &error {
        Error::Trust(TrustError { role, kind: TrustKind::TargetNotFound, .. }) => {
            match role.strip_suffix("/policy.json") {
                Some(channel) => {
                    Error::Config(format!("the repository has no channel {channel:?}"))
                }
                None => error,
            }
        }
        _ => error,
    }
}
