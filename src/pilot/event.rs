//! What goes into the machine and what comes out of it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::api::{self, About, Bundle, Failure, Found, Notice, Told};
use super::call::{Apply, Call};
use super::exit::Exit;
use crate::boot::{Circumstances, Reason, Which};
use crate::error::Result;
use crate::id::{BundleId, Channel};
use crate::progress::Progress;
use crate::time::UnixTime;

/// Names a call that waits for its answer; the host's own word.
pub type CallId = String;

/// When something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since some moment of this process; never goes back.
    pub ticks: Duration,
    /// What the clock on the wall says.
    pub wall: UnixTime,
}

/// What a start decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Its place among the decisions of this process, in the order in which the store made them.
    pub number: u64,
    /// Which bundle.
    pub which: Which,
    /// The same, for pages.
    pub bundle: Bundle,
    /// Its folder; nothing for the built-in one.
    pub folder: Option<PathBuf>,
    /// The token that confirms it, if it is on trial.
    pub token: Option<String>,
    /// A bundle that was given up, and no page has been told yet.
    pub notice: Option<Notice>,
}

/// What is on the device, as the store tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The bundle in the native app.
    pub builtin: Bundle,
    /// What was confirmed last.
    pub confirmed: Bundle,
    /// What the next start tries.
    pub next: Option<Bundle>,
    /// What waits for the app's word.
    pub held: Option<Bundle>,
    /// What was confirmed before.
    pub previous: Option<Bundle>,
    /// What was given up.
    pub blocked: Vec<api::BlockedBundle>,
    /// The channel that is followed.
    pub channel: Channel,
    /// Nothing that policy allows is left.
    pub below_floor: bool,
}

/// Something that happened.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made, handed over and used up; none is kept")]
pub enum Event {
    /// A web view is being made: at the start of a process, and when the system makes the app's
    /// screen anew within one.
    Start {
        /// How the last process ended, where the system tells.
        exit: Option<Exit>,
        /// Somebody sees what it shows.
        seen: bool,
    },
    /// A page calls.
    Call(CallId, Result<Call>),
    /// The main frame began to load a page.
    Navigated,
    /// The old page is gone, and the folder of the launch that [`Effect::Show`] named is served.
    Shown {
        /// The launch's number.
        launch: u64,
        /// Nothing that the old page began may come up any more.
        alone: bool,
    },
    /// The app is in front and takes input.
    Active,
    /// Something is in front of it: a dialog, another app.
    Inactive,
    /// The app is out of sight.
    Background,
    /// The page's renderer died.
    RendererGone,
    /// A timer fired.
    Timer(u64),
    /// A sync found something to fetch.
    Found(Found),
    /// A sync received bytes.
    Progress(Progress),
    /// A job ended.
    Done(Done),
}

/// How a job ended.
#[derive(Debug)]
pub enum Done {
    /// [`Job::Start`].
    Started(Decided),
    /// [`Job::Switch`]; nothing where nothing waited.
    Switched {
        /// Why it was switched.
        why: Switch,
        /// What was decided.
        decided: Result<Option<Decided>>,
    },
    /// [`Job::Fail`].
    Failed(Option<CallId>),
    /// [`Job::Confirm`], with what is on the device after it.
    Confirmed(CallId, u64, Result<Stored>),
    /// [`Job::Sync`].
    Synced(Result<Found>),
    /// [`Job::Check`].
    Checked(Result<Found>),
    /// [`Job::Read`].
    Read(Asked, Result<Stored>),
    /// [`Job::Release`].
    Released(Result<()>),
    /// A job whose outcome is the answer to a call.
    Answer(CallId, Result<Value>),
    /// A job of whose end nobody need hear.
    Noted,
    /// [`Job::SendEvents`], well or not.
    Sent,
    /// [`Job::SetChannel`].
    ChannelSet(CallId, Result<()>),
}

/// Who wants to know what is on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `ready()` of a bundle that is confirmed already.
    Ready(CallId),
    /// `getState()`.
    State(CallId),
    /// `getChannel()`.
    Channel(CallId),
    /// Whoever listens for `stateChanged`.
    Listeners,
}

/// Why the page is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// A new bundle takes over, at this wish.
    Apply(Apply),
    /// A page asked for it.
    Asked(CallId),
    /// Back to the built-in bundle, at a page's wish.
    Reset(CallId),
    /// The launch on trial failed.
    Failed,
    /// The app is seen for the first time after a start that nobody saw.
    Seen {
        /// What that start showed.
        shown: Which,
        /// Something asked meanwhile for what waits, or is held, to take over.
        wanted: bool,
    },
}

/// Work that reads or writes the store, or waits for the network. Jobs of one lane run one after
/// another, in the order they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Decide a start.
    Start {
        /// What is known of it, and of the end of the last process or web view.
        circumstances: Circumstances,
        /// The confirmed bundle that crashed early in it.
        crashed: Option<BundleId>,
    },
    /// Decide a start within the process.
    Switch(Switch),
    /// The launch failed.
    Fail {
        /// Its token.
        token: String,
        /// Why.
        reason: Reason,
        /// The call to answer.
        call: Option<CallId>,
    },
    /// This bundle's renderer died early; of one that is not confirmed nothing is noted.
    EarlyCrash(BundleId),
    /// The launch on trial went out of sight, or came back.
    Sight {
        /// Its token.
        token: String,
        /// It went.
        away: bool,
    },
    /// The launch came up.
    Confirm {
        /// The call to answer.
        call: CallId,
        /// The launch's number.
        launch: u64,
        /// Its token.
        token: String,
    },
    /// Look for something new and fetch it.
    Sync {
        /// What is fetched waits for the app's word.
        hold: bool,
        /// Only look where the network is metered.
        spare_metered: bool,
    },
    /// Look for something new.
    Check,
    /// Tell what is on the device.
    Read(Asked),
    /// Let the next start have what is held.
    Release,
    /// Tell versions and ids.
    DeviceInfo(CallId, About),
    /// Follow another channel.
    SetChannel(CallId, Option<Channel>),
    /// A page was told of the bundle that was given up.
    ForgetNotice,
    /// Post the events that wait.
    SendEvents,
    /// Note that the launch stayed up.
    StayedUp,
    /// Hash the files of the confirmed bundle again. Reads all of it.
    Recheck,
}

/// Where a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Milliseconds, the store only.
    Short,
    /// Seconds to minutes: the network, or all of a bundle.
    Long,
}

impl Job {
    /// Where it runs.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::Sync { .. }
            | Self::Check
            | Self::SetChannel(..)
            | Self::SendEvents
            | Self::Recheck => Lane::Long,
            _ => Lane::Short,
        }
    }
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Let the first load of the web view be of this folder; nothing is the built-in bundle.
    Begin(Option<PathBuf>),
    /// End the old page, serve this folder from then on, say so with [`Event::Shown`], and load its
    /// page.
    Show {
        /// Nothing is the built-in bundle.
        folder: Option<PathBuf>,
        /// At the route that the old page was on.
        keep_route: bool,
        /// The launch's number.
        launch: u64,
    },
    /// Load the page of the folder that is served anew.
    Reload {
        /// At the route that it is on.
        keep_route: bool,
    },
    /// The web view is dead: make it anew, which begins with [`Event::Start`].
    Recreate,
    /// Fire [`Event::Timer`] after so long, unless it is stopped.
    SetTimer(u64, Duration),
    /// A timer is not wanted any more.
    StopTimer(u64),
    /// Do this, and say how it ended.
    Run(Job),
    /// End the sync or check that runs.
    Cancel,
    /// Tell listeners.
    Tell(Told),
    /// Answer a call.
    Resolve(CallId, Value),
    /// Refuse a call.
    Reject(CallId, Failure),
    /// For the log.
    Log(String),
    /// Have the system keep this note until the process is gone.
    Note(String),
}
