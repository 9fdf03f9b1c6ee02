//! The face for Kotlin and Swift: plain data in, plain data out, no decision of its own.
//!
//! Enters: what the native shell knows, as records. Leaves: answers of `pilot` and `updater`, and
//! calls of the shell's own objects. Refuses: nothing by itself; every call that works returns a
//! result, so that a panic in here becomes an error there, and what the shell's objects throw is
//! logged and breaks nothing. No lock is held while they are called. Calls block the thread they are
//! made on; which may take long says its documentation.

#![expect(missing_docs, reason = "the scaffolding of UniFFI has no words for readers")]
#![allow(clippy::needless_pass_by_value, reason = "what crosses the border is owned")]

mod records;
mod updater;

use std::sync::Arc;

pub use records::{Exit, ExitReason, Order, Platform, Seen, Setup, Source, Start, WorkLane};
use records::{text, unsigned};
pub use updater::{Bundle, CancelToken, FailReason, Launch, Outcome, State, Updater};

use crate::error::Error;
use crate::pilot::{self, News};
use crate::seal::{KeyId, OpeningKey};

uniffi::setup_scaffolding!("farad");

/// What went wrong, by what can be done about it. `code` is one of `docs/errors.md`, `detail` one
/// sentence for a developer.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum FaradError {
    /// Try again later; nothing needs to be done.
    #[error("{detail}")]
    Retry { code: String, detail: String },
    /// The device has too little room, or its storage refuses.
    #[error("{detail}")]
    Storage { code: String, detail: String },
    /// What the server has is not to be trusted or not usable; what runs goes on running.
    #[error("{detail}")]
    Refused { code: String, detail: String },
    /// The call was cancelled.
    #[error("{detail}")]
    Cancelled { code: String, detail: String },
    /// The call came from a launch that is not the running one, or asks for what is not allowed.
    #[error("{detail}")]
    Misuse { code: String, detail: String },
}

#[uniffi::export]
impl FaradError {
    /// One of the stable codes of `docs/errors.md`.
    pub fn code(&self) -> String {
        match self {
            Self::Retry { code, .. }
            | Self::Storage { code, .. }
            | Self::Refused { code, .. }
            | Self::Cancelled { code, .. }
            | Self::Misuse { code, .. } => code.clone(),
        }
    }

    /// One sentence, for a developer.
    pub fn text(&self) -> String {
        self.to_string()
    }
}

impl From<Error> for FaradError {
    fn from(error: Error) -> Self {
        let (code, detail) = (error.code().to_owned(), error.to_string());
        match error {
            Error::Digest { .. } => Self::Refused { code, detail },
            error if error.retryable() => Self::Retry { code, detail },
            Error::NoSpace { .. } | Error::Storage { .. } => Self::Storage { code, detail },
            Error::Cancelled => Self::Cancelled { code, detail },
            Error::Config(_) | Error::Argument(_) | Error::NotAllowed(_) | Error::StaleToken => {
                Self::Misuse { code, detail }
            }
            _ => Self::Refused { code, detail },
        }
    }
}

type Result<T> = std::result::Result<T, FaradError>;

/// What an object of the shell throws. It is logged, and nothing stops for it.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum ShellError {
    /// Whatever it was.
    #[error("{detail}")]
    Failed { detail: String },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ShellError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // The reason carries a stack trace: its first line says enough.
        let detail = error.reason.lines().next().unwrap_or_default().to_owned();
        Self::Failed { detail }
    }
}

/// The native shell, as the pilot calls it. May be called from any thread that calls the pilot, and
/// may call the pilot again.
#[uniffi::export(foreign)]
pub trait Shell: Send + Sync {
    /// Do this, or see to it that it is done: orders come one at a time, in order.
    fn order(&self, order: Order) -> std::result::Result<(), ShellError>;

    /// Whether the network is one that is paid for by the byte.
    fn metered(&self) -> std::result::Result<bool, ShellError>;

    /// A line for the native log.
    fn log(&self, level: LogLevel, line: String) -> std::result::Result<(), ShellError>;
}

/// Opening keys that native code obtains at run time, from a server or the platform's key store.
#[uniffi::export(foreign)]
pub trait OpeningKeys: Send + Sync {
    /// The key with this id (32 hex digits) as PKCS#8 in PEM, if it is at hand. Asked by checks and
    /// syncs, on their thread; may block.
    fn opening_key(&self, id: String) -> std::result::Result<Option<String>, ShellError>;
}

/// Who wants to know how a sync goes.
#[uniffi::export(foreign)]
pub trait Listener: Send + Sync {
    /// Bytes of the download so far, and in all. Called on the sync's thread.
    fn progress(&self, bytes: i64, total: i64) -> std::result::Result<(), ShellError>;
}

/// How urgent a line of the log is.
#[derive(Debug, Clone, Copy, uniffi::Enum)]
pub enum LogLevel {
    Error,
    Warning,
    Info,
}

/// The plugin's core: one for each process, whatever becomes of its web views.
#[derive(uniffi::Object)]
pub struct Pilot {
    inner: pilot::Pilot,
}

#[uniffi::export]
impl Pilot {
    /// For the app that `setup` describes. Reads the app's own files, opens the store's folder,
    /// connects nowhere. A configuration that cannot work makes a pilot that says so to every call.
    #[uniffi::constructor]
    pub fn open(
        setup: Setup,
        shell: Arc<dyn Shell>,
        keys: Option<Arc<dyn OpeningKeys>>,
    ) -> Arc<Self> {
        forward_log(&shell);
        let keys = keys.map(run_time_keys);
        let hands = Arc::new(ShellHands(shell));
        let inner = pilot::Pilot::open(&setup.into(), keys.as_ref(), hands);
        Arc::new(Self { inner })
    }

    /// A web view is being made: which folder its first load is of. `seen` unless the app is out of
    /// sight, begun by a push message, say; nothing is tried then before `Active`. Blocks about a
    /// millisecond; may be called on the main thread.
    pub fn start(&self, exit: Option<Exit>, seen: bool) -> Result<Start> {
        Ok(Start { folder: self.inner.start(exit.map(Into::into), seen).map(text) })
    }

    /// A page calls; its answer comes as an order. Does no work; may be called on any thread.
    pub fn call(&self, call: String, method: String, options: String) -> Result<()> {
        self.inner.call(call, &method, &options);
        Ok(())
    }

    /// Something happened. Does no work; may be called on any thread.
    pub fn tell(&self, seen: Seen) -> Result<()> {
        self.inner.tell(&seen.into());
        Ok(())
    }

    /// The old page is gone, and the folder of the `Show` for this launch is served. To be called in
    /// the order in which pages call. `alone` if nothing that the old page began may come up any more;
    /// else navigations, too, must be told in that order. Does no work; may be called on any thread.
    pub fn shown(&self, launch: i64, alone: bool) -> Result<()> {
        self.inner.tell(&News::Shown { launch: unsigned(launch), alone });
        Ok(())
    }

    /// This timer ran out. Does no work; may be called on any thread.
    pub fn timer(&self, timer: i64) -> Result<()> {
        self.inner.tell(&News::Timer(unsigned(timer)));
        Ok(())
    }

    /// The page's renderer died. Blocks until that is written down, a few milliseconds; then comes
    /// `Recreate`.
    pub fn renderer_gone(&self) -> Result<()> {
        self.inner.renderer_gone();
        Ok(())
    }

    /// Does an ordered job; blocks until it is done.
    pub fn work(&self, job: i64) -> Result<()> {
        self.inner.work(unsigned(job));
        Ok(())
    }

    /// What stands below, for native code; null while the plugin is idle.
    pub fn updater(&self) -> Result<Option<Arc<Updater>>> {
        Ok(self.inner.updater().map(|inner| Arc::new(Updater::over(inner.clone()))))
    }
}

/// The shell as the pilot knows it.
struct ShellHands(Arc<dyn Shell>);

impl pilot::Hands for ShellHands {
    fn order(&self, order: pilot::Order) {
        match Order::new(order) {
            Ok(order) => swallow(self.0.order(order)),
            Err(line) => swallow(self.0.log(LogLevel::Warning, line)),
        }
    }

    fn metered(&self) -> bool {
        // Whoever cannot tell is taken to pay.
        self.0.metered().unwrap_or(true)
    }
}

struct RunTimeKeys(Arc<dyn OpeningKeys>);

fn run_time_keys(keys: Arc<dyn OpeningKeys>) -> Arc<dyn crate::seal::OpeningKeys> {
    Arc::new(RunTimeKeys(keys))
}

impl crate::seal::OpeningKeys for RunTimeKeys {
    fn opening_key(&self, id: &KeyId) -> Option<OpeningKey> {
        let pem = self.0.opening_key(id.to_string());
        let pem = pem.inspect_err(|error| log::warn!("opening keys: {error}")).ok().flatten()?;
        let pem = zeroize::Zeroizing::new(pem);
        let key = OpeningKey::from_pem(&pem).inspect_err(|error| log::warn!("{error}")).ok()?;
        (key.id() == *id).then_some(key)
    }
}

/// The library's log goes to the first shell of the process: the log's facade knows one place.
struct ForwardLog(Arc<dyn Shell>);

fn forward_log(shell: &Arc<dyn Shell>) {
    if log::set_boxed_logger(Box::new(ForwardLog(shell.clone()))).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

impl log::Log for ForwardLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("farad")
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => LogLevel::Error,
            log::Level::Warn => LogLevel::Warning,
            _ => LogLevel::Info,
        };
        if self.enabled(record.metadata()) {
            // Nobody could be told that telling failed.
            drop(self.0.log(level, record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

fn swallow(outcome: std::result::Result<(), ShellError>) {
    if let Err(error) = outcome {
        log::warn!("the shell: {error}");
    }
}
