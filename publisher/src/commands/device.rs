//! `farad device`: a phone without a phone, the real client core as a command.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farad::boot::{Reason, Which};
use farad::builtin::{APK_PREFIX, Apk, Builtin};
use farad::config::Config;
use farad::fetch::{Http, HttpOptions, HttpSink};
use farad::host::System;
use farad::id::{AppId, Channel};
use farad::native::Native;
use farad::progress::{Cancel, Progress};
use farad::seal::OpeningKey;
use farad::store::RealDisk;
use farad::updater::{Launched, Status, Synced, Updater};
use serde_json::{Value, json};

use super::Report;
use crate::clock;
use crate::failure::{Failure, Result};
use crate::opening;
use crate::passphrase::Passphrases;

/// Arguments of `farad device`.
#[derive(Debug, clap::Args)]
pub(crate) struct Device {
    /// The trust anchor that the app ships
    #[arg(long, default_value = "farad-root.json")]
    root: PathBuf,
    /// Where the repository is served; further ones are asked where those before fail
    #[arg(long = "url", value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Waits for the network before it gives up
    #[arg(long, default_value_t = 2)]
    retries: u32,
    /// The device's private storage
    #[arg(long)]
    dir: PathBuf,
    /// The app's id; the one in farad.toml beside the trust anchor by default
    #[arg(long)]
    app: Option<String>,
    /// Channel to follow
    #[arg(long, default_value = "production")]
    channel: String,
    /// Another channel that the app's build allows; may be repeated
    #[arg(long = "allow-channel", value_name = "CHANNEL")]
    allow_channels: Vec<String>,
    /// Platform of the native app: android or ios
    #[arg(long, default_value = "android")]
    platform: String,
    /// Build of the native app
    #[arg(long, default_value = "1")]
    native: String,
    /// The built-in bundle: a folder, or an APK
    #[arg(long)]
    builtin: Option<PathBuf>,
    /// A file with an opening key of sealed releases; may be given several times
    #[arg(long = "recipient-key", value_name = "FILE")]
    recipient_keys: Vec<PathBuf>,
    /// Take sealed releases alone
    #[arg(long)]
    require_sealed: bool,
    /// Hold what is staged until `apply`
    #[arg(long)]
    hold: bool,
    /// Record events, to be posted to this URL
    #[arg(long, value_name = "URL")]
    events_url: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Ask what is new
    Check,
    /// Fetch and stage what is new
    Sync,
    /// Start: what would the app show?
    Boot,
    /// The page says that it came up
    Ready {
        /// The token that boot gave; the one on trial by default
        #[arg(long)]
        token: Option<String>,
    },
    /// The page did not come up
    Fail {
        /// The token that boot gave; the one on trial by default
        #[arg(long)]
        token: Option<String>,
    },
    /// Hash the files of what is confirmed again
    Recheck,
    /// What is on the device
    State,
    /// The events that wait to be posted
    Events {
        /// Post them
        #[arg(long)]
        send: bool,
    },
    /// What is held may run at the next start
    Apply,
    /// Back to the built-in bundle at the next start
    Reset,
    /// Follow another allowed channel from now on
    SetChannel {
        /// Which; the app's own by default
        name: Option<String>,
    },
}

pub(crate) fn run(
    args: &Device,
    passphrases: &Passphrases,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    let updater = open(args, passphrases)?;
    let json = match &args.what {
        What::Check => synced(&updater.check(&Cancel::default())?, true),
        What::Sync => synced(&updater.sync(&Cancel::default(), progress)?, false),
        What::Boot => launched(&updater.boot(false)),
        What::Ready { token } => {
            updater.ready(&token_or_trial(&updater, token.as_deref())?)?;
            json!({ "confirmed": name(updater.state()?.record.confirmed) })
        }
        What::Fail { token } => {
            let token = token_or_trial(&updater, token.as_deref())?;
            let undone = updater.fail(&token, Reason::Reported)?;
            json!({ "undone": undone.map(|undone| undone.id) })
        }
        What::Recheck => {
            let found = updater.recheck(&Cancel::default())?;
            json!({
                "bundle": found.as_ref().map(|found| found.id),
                "files": found.as_ref().map(|found| found.files),
                "damaged": found.and_then(|found| found.damaged),
            })
        }
        What::State => state(&updater)?,
        What::Events { send: true } if args.events_url.is_none() => {
            return Err(Failure::new("config-invalid", "where to? pass --events-url"));
        }
        What::Events { send: true } => json!(updater.send_events(&Cancel::default())?),
        What::Events { send: false } => {
            let waiting = updater.waiting_events()?;
            json!({ "events": waiting.events, "lost": waiting.lost })
        }
        What::Apply => {
            updater.apply()?;
            state(&updater)?
        }
        What::Reset => {
            updater.reset()?;
            state(&updater)?
        }
        What::SetChannel { name } => {
            let channel = name.as_deref().map(parse_channel).transpose()?;
            updater.set_channel(channel.as_ref())?;
            state(&updater)?
        }
    };
    Ok(Report::new(json.to_string(), json))
}

fn open(args: &Device, passphrases: &Passphrases) -> Result<Updater> {
    let root = fs::read(&args.root)
        .map_err(|error| Failure::file("reading the trust anchor", &args.root, &error))?;
    let invalid = |error: &dyn std::fmt::Display| Failure::new("config-invalid", error.to_string());
    let app = match &args.app {
        Some(app) => app.parse::<AppId>().map_err(|error| invalid(&error))?,
        None => {
            let beside = args.root.parent().unwrap_or(Path::new("")).join(crate::project::FILE);
            crate::project::Project::load(&beside)
                .map_err(|_| invalid(&"no farad.toml beside the trust anchor; pass --app"))?
                .app
        }
    };
    let channel = parse_channel(&args.channel)?;
    let native = match args.platform.as_str() {
        "android" => {
            let build = args.native.parse().map_err(|_| {
                invalid(&format!("--native {}: Android's versionCode is a number", args.native))
            })?;
            Native::Android { build }
        }
        "ios" => Native::Ios { build: args.native.clone() },
        other => return Err(invalid(&format!("--platform {other}: it is android or ios"))),
    };
    let builtin = match &args.builtin {
        Some(path) if path.is_file() => Builtin::Apk(Apk::open(path, APK_PREFIX)?),
        Some(path) if path.is_dir() => Builtin::Folder(path.clone()),
        Some(path) => return Err(invalid(&format!("there is no {}", path.display()))),
        None => Builtin::Folder(args.dir.join("no-builtin")),
    };
    let mut config = Config::new(app, channel, root, native);
    config.hold = args.hold;
    config.retries = args.retries;
    config.allowed_channels =
        args.allow_channels.iter().map(|name| parse_channel(name)).collect::<Result<_>>()?;
    if args.require_sealed {
        config.sealed = config.allowed_channels.clone();
        config.sealed.push(config.channel.clone());
    }
    let keys = args.recipient_keys.iter().map(|path| opening::read(path, passphrases));
    let keys: Vec<OpeningKey> = keys.collect::<Result<_>>()?;
    let disk =
        RealDisk::new(&args.dir).map_err(|error| Failure::file("making", &args.dir, &error))?;
    let mirror = |url: &String| -> Result<Arc<Http>> {
        Ok(Arc::new(Http::new(url, &HttpOptions::default())?))
    };
    let mut mirrors = args.urls.iter().map(mirror);
    let first = mirrors.next().ok_or_else(|| invalid(&"no --url"))??;
    let (clock, random) = (clock::clock(), Arc::new(System));
    #[cfg(feature = "checkpoints")]
    let disk = crate::checkpoints::CheckedDisk::new(disk);
    let updater = Updater::new(config, Arc::new(disk), first, clock, random, builtin)
        .with_opening_keys(Arc::new(keys));
    let updater = match &args.events_url {
        Some(url) => updater.with_events(Arc::new(HttpSink::new(url, &HttpOptions::default())?)),
        None => updater,
    };
    mirrors.try_fold(updater, |updater, mirror| Ok(updater.with_mirror(mirror?)))
}

fn parse_channel(name: &str) -> Result<Channel> {
    name.parse().map_err(|error| Failure::new("config-invalid", format!("{error}")))
}

fn token_or_trial(updater: &Updater, token: Option<&str>) -> Result<String> {
    if let Some(token) = token {
        return Ok(token.to_owned());
    }
    let trial = updater.state()?.record.trial;
    trial.map(|trial| trial.token.as_str().to_owned()).ok_or_else(|| {
        Failure::new("stale-token", "nothing is on trial; a confirmed bundle needs no ready")
    })
}

fn synced(synced: &Synced, check: bool) -> Value {
    let mut json = json!({
        "status": synced.status,
        "version": synced.release.as_ref().map(|release| &release.version),
        "bundle": synced.release.as_ref().map(|release| release.id),
        "bytes": synced.bytes,
        "requests": synced.requests,
    });
    if let Some(fields) = json.as_object_mut() {
        if !check {
            fields.insert("via".to_owned(), json!(synced.via));
            if let Some(code) = synced.fallback {
                fields.insert("fallback".to_owned(), json!(code));
            }
        }
        if synced.mandatory && synced.status != Status::UpToDate {
            fields.insert("mandatory".to_owned(), json!(true));
        }
    }
    json
}

fn launched(launched: &Launched) -> Value {
    let mut json = json!({
        "bundle": name(launched.which),
        "version": launched.version,
        "path": launched.path,
        "token": launched.token,
    });
    if let Some(fields) = json.as_object_mut() {
        if let Some(undone) = launched.undone {
            let undone = json!({ "bundle": undone.id, "reason": undone.reason });
            fields.insert("undone".to_owned(), undone);
        }
        if launched.below_floor {
            fields.insert("belowFloor".to_owned(), json!(true));
        }
    }
    json
}

fn state(updater: &Updater) -> Result<Value> {
    let state = updater.state()?;
    let record = &state.record;
    let blocked: Vec<_> = state
        .blocked
        .iter()
        .map(|(id, stone)| json!({ "bundle": id, "reason": stone.as_ref().map(|s| s.reason) }))
        .collect();
    Ok(json!({
        "confirmed": name(record.confirmed),
        "trial": record.trial.as_ref().map(|trial| {
            json!({ "bundle": trial.id, "attempts": trial.attempts })
        }),
        "next": record.next.map(name),
        "held": record.held,
        "previous": record.previous,
        "channel": record.channel,
        "releases": state.releases,
        "blocked": blocked,
        "belowFloor": state.below_floor,
        "installId": state.install_id,
    }))
}

fn name(which: Which) -> String {
    match which {
        Which::Builtin => "builtin".to_owned(),
        Which::Bundle(id) => id.to_string(),
    }
}
