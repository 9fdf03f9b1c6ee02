//! Jobs: what the machine wants of the updater, done on the thread of a lane.

use super::api::{self, BlockedBundle, Bundle, Found, Notice};
use super::event::{Decided, Done, Event, Job, Stored, Switch};
use super::{About, Hands};
use crate::boot::{Circumstances, Which};
use crate::error::{Error, Result};
use crate::id::BundleId;
use crate::progress::Cancel;
use crate::updater::{Release, State, Step, Synced, Updater};

/// Does `job`, telling `watch` of what happens meanwhile.
pub(super) fn carry_out(
    updater: &Updater,
    job: Job,
    cancel: &Cancel,
    hands: &dyn Hands,
    watch: &mut dyn FnMut(Event),
) -> Done {
    match job {
        Job::Start { circumstances, crashed } => {
            Done::Started(start(updater, circumstances, crashed))
        }
        Job::Switch(why) => {
            let decided = switch(updater, &why);
            Done::Switched { why, decided }
        }
        Job::Fail { token, reason, call } => {
            if let Err(error) = updater.fail(&token, reason) {
                // The launch was counted before it began: the next decision knows.
                log::warn!("a failed launch could not be written down: {error}");
            }
            Done::Failed(call)
        }
        Job::EarlyCrash(id) => {
            crashed_early(updater, id);
            Done::Noted
        }
        Job::Sight { token, away } => {
            match updater.sight(&token, away) {
                // Confirmed or given up meanwhile.
                Ok(()) | Err(Error::StaleToken) => {}
                Err(error) => log::warn!("who sees the launch could not be written down: {error}"),
            }
            Done::Noted
        }
        Job::Confirm { call, launch, token } => {
            let stored = updater.ready(&token).and_then(|()| stored(updater));
            Done::Confirmed(call, launch, stored)
        }
        Job::Sync { hold, spare_metered } => {
            let outcome = if spare_metered && hands.metered() {
                updater.check(cancel)
            } else {
                updater.sync_watched(hold, cancel, &mut |step| match step {
                    Step::Found(synced) => watch(Event::Found(found(updater, synced))),
                    Step::Progress(progress) => watch(Event::Progress(progress)),
                })
            };
            Done::Synced(outcome.map(|synced| found(updater, &synced)))
        }
        Job::Check => {
            let outcome = updater.check(cancel);
            Done::Checked(outcome.map(|synced| found(updater, &synced)))
        }
        Job::Read(asked) => Done::Read(asked, stored(updater)),
        Job::Release => Done::Released(updater.apply()),
        Job::DeviceInfo(call, about) => Done::Answer(call, device_info(updater, &about)),
        Job::SetChannel(call, channel) => {
            Done::ChannelSet(call, updater.set_channel(channel.as_ref()))
        }
        Job::ForgetNotice => {
            if let Err(error) = updater.forget_notice() {
                log::warn!("{error}");
            }
            Done::Noted
        }
        Job::SendEvents => {
            if let Err(error) = updater.send_events(cancel) {
                log::info!("events wait for another time: {error}");
            }
            Done::Sent
        }
        Job::StayedUp => {
            if let Err(error) = updater.stayed_up() {
                log::warn!("crashes before are still counted: {error}");
            }
            Done::Noted
        }
        Job::Recheck => {
            match updater.recheck(cancel) {
                // The store says so where it finds damage, and takes it up where it was cut short.
                Ok(_) | Err(Error::Cancelled) => {}
                Err(error) => log::warn!("the files could not be hashed again: {error}"),
            }
            Done::Noted
        }
    }
}

/// How a job ended that panicked.
pub(super) fn fell_over(updater: &Updater, job: Job) -> Done {
    let error = || {
        let source = std::io::Error::other("it panicked");
        Error::Storage { doing: "a job of the updater".to_owned(), source }
    };
    log::error!("a job of the updater panicked");
    match job {
        // As where no record can be read.
        Job::Start { .. } => Done::Started(Decided {
            number: updater.number(),
            which: Which::Builtin,
            bundle: Bundle::builtin(),
            folder: None,
            token: None,
            notice: None,
        }),
        Job::Switch(why) => Done::Switched { why, decided: Err(error()) },
        Job::Fail { call, .. } => Done::Failed(call),
        Job::Confirm { call, launch, .. } => Done::Confirmed(call, launch, Err(error())),
        Job::Sync { .. } => Done::Synced(Err(error())),
        Job::Check => Done::Checked(Err(error())),
        Job::Read(asked) => Done::Read(asked, Err(error())),
        Job::Release => Done::Released(Err(error())),
        Job::DeviceInfo(call, _) => Done::Answer(call, Err(error())),
        Job::SetChannel(call, _) => Done::ChannelSet(call, Err(error())),
        Job::SendEvents => Done::Sent,
        Job::Sight { .. }
        | Job::EarlyCrash(_)
        | Job::ForgetNotice
        | Job::StayedUp
        | Job::Recheck => Done::Noted,
    }
}

fn start(updater: &Updater, circumstances: Circumstances, crashed: Option<BundleId>) -> Decided {
    if let Some(id) = crashed {
        crashed_early(updater, id);
    }
    decide(updater, circumstances)
}

/// Counts an early crash, if it is the confirmed bundle that crashed: what failed on trial is counted by
/// its marks, and what runs in the confirmed one's place must not be charged to that.
fn crashed_early(updater: &Updater, id: BundleId) {
    let confirmed = |state: State| state.record.confirmed == Which::Bundle(id);
    let noted = updater
        .state()
        .map(confirmed)
        .and_then(|is_it| if is_it { updater.early_crash() } else { Ok(()) });
    if let Err(error) = noted {
        log::warn!("an early crash could not be written down: {error}");
    }
}

fn switch(updater: &Updater, why: &Switch) -> Result<Option<Decided>> {
    match why {
        Switch::Apply(_) | Switch::Asked(_) => {
            updater.apply()?;
            if updater.state()?.record.next.is_none() {
                return Ok(None);
            }
        }
        Switch::Reset(_) => updater.reset()?,
        Switch::Failed => {}
        Switch::Seen { shown, wanted } => {
            if *wanted {
                updater.apply()?;
            }
            let State { record, stable, .. } = updater.state()?;
            // On a phone that was never unlocked, a start can read nothing and shows the built-in bundle.
            if record.next.is_none() && record.trial.is_none() && stable == *shown {
                return Ok(None);
            }
        }
    }
    Ok(Some(decide(updater, Circumstances::default())))
}

fn decide(updater: &Updater, circumstances: Circumstances) -> Decided {
    let launched = updater.boot_in(circumstances);
    Decided {
        number: launched.number,
        which: launched.which,
        bundle: Bundle::new(launched.which, updater.release(launched.which).as_ref()),
        folder: launched.path,
        token: launched.token,
        notice: updater.notice().map(|notice| Notice {
            from: Bundle {
                id: notice.id.to_string(),
                version: notice.named.as_ref().map(|named| named.version.clone()),
                sequence: notice.named.as_ref().map(|named| named.sequence),
                channel: notice.named.map(|named| named.channel),
            },
            reason: notice.reason,
        }),
    }
}

fn stored(updater: &Updater) -> Result<Stored> {
    let state = updater.state()?;
    let named = |which: Which| match which {
        Which::Builtin => Bundle::new(which, updater.release(which).as_ref()),
        Which::Bundle(id) => Bundle::new(which, state.releases.iter().find(|r| r.id == id)),
    };
    let version = |id: BundleId| {
        state.releases.iter().find(|release| release.id == id).map(|r| r.version.clone())
    };
    let blocked = state.blocked.iter().map(|(id, tombstone)| BlockedBundle {
        id: id.to_string(),
        version: version(*id),
        reason: tombstone.as_ref().map(|tombstone| tombstone.reason),
    });
    let record = &state.record;
    Ok(Stored {
        builtin: named(Which::Builtin),
        confirmed: named(record.confirmed),
        next: record.next.map(named),
        held: record.held.map(|id| named(Which::Bundle(id))),
        previous: record.previous.map(|id| named(Which::Bundle(id))),
        blocked: blocked.collect(),
        channel: updater.channel()?,
        below_floor: state.below_floor,
    })
}

fn found(updater: &Updater, synced: &Synced) -> Found {
    let builtin = updater.release(Which::Builtin).map(|release| release.id);
    let bundle = |release: &Release| {
        let which =
            if builtin == Some(release.id) { Which::Builtin } else { Which::Bundle(release.id) };
        Bundle::new(which, Some(release))
    };
    Found {
        status: synced.status,
        release: synced.release.as_ref().map(bundle),
        bytes: synced.bytes,
        via: synced.via,
        mandatory: synced.mandatory,
        notes: synced.notes.clone(),
    }
}

fn device_info(updater: &Updater, about: &About) -> Result<serde_json::Value> {
    Ok(api::device_info(about, Some(&updater.state()?.install_id)))
}
