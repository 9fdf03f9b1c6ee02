//! Plain data that crosses the border, and what it is inside.

use std::path::PathBuf;

use crate::native::Native;
use crate::pilot::{self, Lane, News};
use crate::time::UnixTime;

/// What the native shell knows of its app.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Setup {
    /// `plugins.Farad` of the app's configuration, as JSON; `null` where there is none.
    pub settings: String,
    /// The app id that Capacitor knows.
    pub app_id: String,
    /// The page comes from a development server (`server.url`).
    pub live_reload: bool,
    /// The app is a debug build.
    pub debug: bool,
    /// Platform and build.
    pub platform: Platform,
    /// Version as people read it.
    pub native_version: String,
    /// When the app was built or installed, seconds since 1970; 0 if unknown.
    pub built: i64,
    /// Private storage that no backup takes along.
    pub home: String,
    /// Where the app's own files are.
    pub source: Source,
}

/// Platform and build of the native app.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum Platform {
    /// Android, with its `versionCode`.
    Android { build: i64 },
    /// iOS, with its `CFBundleVersion`.
    Ios { build: String },
}

/// Where the app's own files are.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum Source {
    /// Android: in the APK at this path.
    Apk { path: String },
    /// The built-in bundle and resources, in folders.
    Folders { web: String, resources: String },
}

impl From<Setup> for pilot::Setup {
    fn from(setup: Setup) -> Self {
        Self {
            settings: setup.settings,
            app_id: setup.app_id,
            live_reload: setup.live_reload,
            debug: setup.debug,
            native: match setup.platform {
                Platform::Android { build } => Native::Android { build: unsigned(build) },
                Platform::Ios { build } => Native::Ios { build },
            },
            native_version: setup.native_version,
            built: UnixTime::from_seconds(unsigned(setup.built)),
            home: PathBuf::from(setup.home),
            source: match setup.source {
                Source::Apk { path } => pilot::Source::Apk(PathBuf::from(path)),
                Source::Folders { web, resources } => {
                    pilot::Source::Folders { web: web.into(), resources: resources.into() }
                }
            },
        }
    }
}

/// How the last process ended, where the system tells.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Exit {
    /// Why, as far as it matters.
    pub reason: ExitReason,
    /// When, by the wall clock, milliseconds since 1970.
    pub at: i64,
    /// The last note that was ordered in that process; empty if there was none.
    pub note: String,
}

/// Why a process ended.
#[derive(Debug, Clone, Copy, uniffi::Enum)]
pub enum ExitReason {
    /// It crashed or did not answer.
    Crash,
    /// The user or the system ended it.
    Outside,
    /// It ended by itself, or nobody knows.
    Unknown,
}

/// What the shell is to do.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Order {
    /// On the web view's thread: load an empty document in place of the old page; once that stands,
    /// serve this folder (null is the built-in bundle), call `shown` with the launch, load its page,
    /// at the old page's route if so. The next such order takes the place of one that still waits.
    Show { folder: Option<String>, keep_route: bool, launch: i64 },
    /// Load the page of what is served anew.
    Reload { keep_route: bool },
    /// The web view is dead: make a new one, which begins with `start`.
    Recreate,
    /// Call `timer` with this number after so many milliseconds.
    SetTimer { timer: i64, after: i64 },
    /// This timer is not wanted any more.
    StopTimer { timer: i64 },
    /// Call `work` with this number on the lane's own thread, one job after another.
    Work { lane: WorkLane, job: i64 },
    /// Tell the page's listeners; `data` is an object as JSON; keep it until one listens, if so.
    Tell { event: String, data: String, retain: bool },
    /// Answer a call; `data` is an object as JSON, or `null`.
    Resolve { call: String, data: String },
    /// Refuse a call; `data` is an object as JSON.
    Reject { call: String, code: String, text: String, data: String },
    /// Have the system keep this text until the process is gone.
    Note { note: String },
}

/// Which thread does a job.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Enum)]
pub enum WorkLane {
    /// Milliseconds, the store only.
    Short,
    /// Seconds to minutes, the network.
    Long,
}

/// What the shell sees.
#[derive(Debug, Clone, Copy, uniffi::Enum)]
pub enum Seen {
    /// The main frame began to load a page. To be told in the order in which pages' calls are.
    Navigated,
    /// The app is in front and takes input.
    Active,
    /// Something is in front of it.
    Inactive,
    /// The app is out of sight.
    Background,
}

/// What a web view begins with.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Start {
    /// The folder to serve; null is the built-in bundle.
    pub folder: Option<String>,
}

impl Order {
    /// An order as it crosses the border, or a line for the log.
    pub(super) fn new(order: pilot::Order) -> Result<Self, String> {
        Ok(match order {
            pilot::Order::Log(line) => return Err(line),
            pilot::Order::Show { folder, keep_route, launch } => {
                Self::Show { folder: folder.map(text), keep_route, launch: signed(launch) }
            }
            pilot::Order::Reload { keep_route } => Self::Reload { keep_route },
            pilot::Order::Recreate => Self::Recreate,
            pilot::Order::SetTimer { timer, after } => {
                let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                Self::SetTimer { timer: signed(timer), after: signed(after) }
            }
            pilot::Order::StopTimer { timer } => Self::StopTimer { timer: signed(timer) },
            pilot::Order::Work { lane, job } => {
                let lane = match lane {
                    Lane::Short => WorkLane::Short,
                    Lane::Long => WorkLane::Long,
                };
                Self::Work { lane, job: signed(job) }
            }
            pilot::Order::Tell { event, data, retain } => {
                Self::Tell { event: event.to_owned(), data, retain }
            }
            pilot::Order::Resolve { call, data } => Self::Resolve { call, data },
            pilot::Order::Reject { call, code, message, data } => {
                Self::Reject { call, code: code.to_owned(), text: message, data }
            }
            pilot::Order::Note(note) => Self::Note { note },
        })
    }
}

impl From<Exit> for pilot::Exit {
    fn from(exit: Exit) -> Self {
        Self {
            reason: match exit.reason {
                ExitReason::Crash => pilot::ExitReason::Crash,
                ExitReason::Outside => pilot::ExitReason::Outside,
                ExitReason::Unknown => pilot::ExitReason::Unknown,
            },
            at: unsigned(exit.at),
            note: exit.note,
        }
    }
}

impl From<Seen> for News {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Navigated => Self::Navigated,
            Seen::Active => Self::Active,
            Seen::Inactive => Self::Inactive,
            Seen::Background => Self::Background,
        }
    }
}

/// Paths that the shell gave, so that they are text.
pub(super) fn text(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
