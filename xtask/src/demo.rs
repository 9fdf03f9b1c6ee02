//! `cargo xtask demo`: a publisher and a handful of devices live through what Farad is for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::device::{Device, Farad};
use crate::npm::{self, Build};
use crate::shell::Result;

const BUILDS: [Build; 4] = [
    Build { version: "1.0.0", broken: false },
    Build { version: "1.1.0", broken: false },
    Build { version: "1.2.0", broken: false },
    Build { version: "1.3.0", broken: true },
];
const APP: &str = "com.example.cornershop";
const FLEET: usize = 16;
/// The opening key that the app ships.
const KEY: &str = "keys/opening/app.pem";

pub(crate) fn run() -> Result<()> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let demo = Demo { home: home.path().to_owned(), begun: Instant::now() };
    demo.title("Building the command and four versions of the sample app");
    let farad = Farad::build(demo.home.clone())?;
    npm::install()?;
    for build in &BUILDS {
        npm::build(build, &demo.web(build.version))?;
    }
    demo.say(&format!("done in {:.1} s", demo.begun.elapsed().as_secs_f64()));
    Demo { begun: Instant::now(), ..demo }.live(&farad)
}

struct Demo {
    home: PathBuf,
    begun: Instant,
}

impl Demo {
    fn live(&self, farad: &Farad) -> Result<()> {
        self.publish_first(farad)?;
        let server = farad.serve(&self.path("updates"))?;
        let url = server.url.as_str();
        let device = |name: &str| Device::new(farad, url, name, &self.web("1.0.0")).with_key(KEY);

        self.stranger(&Device::new(farad, url, "stranger", &self.web("1.0.0")))?;
        self.update(&device("phone"))?;
        self.share(farad, url)?;
        self.bad_release(farad, &device("phone"))?;
        let replayed = fs::read(self.path("updates/metadata/timestamp.json"))
            .map_err(|error| error.to_string())?;
        self.roll_back(farad, &device("phone"), &device("other"))?;
        self.tampering(farad)?;
        self.replay(farad, &replayed)?;
        self.kills(&device("killed"))?;
        self.title(&format!("All as it should be, in {:.1} s", self.begun.elapsed().as_secs_f64()));
        Ok(())
    }

    fn publish_first(&self, farad: &Farad) -> Result<()> {
        self.title("The publisher makes keys and a repository with a sealed channel, and embeds 1.0.0 in the app");
        farad.json(&["init", "--app", APP, "--sealed", "--no-passphrase"])?;
        self.release(farad, "1.0.0", "0")?;
        farad.json(&["embed", "web/1.0.0"])?;
        self.release(farad, "1.1.0", "100%")?;
        let good = farad.json(&["verify", "updates", "--recipient-key", KEY])?;
        self.say(&format!("the repository verifies: {} files", number(&good, "files")));
        Ok(())
    }

    fn stranger(&self, phone: &Device<'_>) -> Result<()> {
        self.title("Somebody without the app's key asks for the same release");
        let sync = phone.does("sync")?;
        expect(&sync, "status", "key-missing")?;
        expect(&phone.does("boot")?, "bundle", "builtin")?;
        for blob in fs::read_dir(self.path("updates/blobs")).map_err(|error| error.to_string())? {
            let path = blob.map_err(|error| error.to_string())?.path();
            let bytes = fs::read(&path).map_err(|error| error.to_string())?;
            if bytes.windows(10).any(|window| window == b"index.html") {
                return Err(format!("{} tells a file name", path.display()));
            }
        }
        self.say("key-missing: its blobs are noise, and the built-in bundle runs on");
        Ok(())
    }

    fn update(&self, phone: &Device<'_>) -> Result<()> {
        self.title("A phone starts on its built-in bundle and updates to 1.1.0");
        expect(&phone.does("boot")?, "bundle", "builtin")?;
        let sync = phone.does("sync")?;
        expect(&sync, "status", "staged")?;
        self.say(&format!("staged via {}: {} bytes", text(&sync, "via"), number(&sync, "bytes")));
        let boot = phone.does("boot")?;
        expect(&boot, "version", "1.1.0")?;
        phone.does("ready")?;
        let again = phone.does("boot")?;
        expect(&again, "version", "1.1.0")?;
        same_files(&self.home.join(text(&again, "path")), &self.web("1.1.0"))?;
        self.say("tried, confirmed, and started again; its files are the published ones");
        let idle = phone.does("sync")?;
        expect(&idle, "status", "up-to-date")?;
        if number(&idle, "requests") != 1 {
            return Err(format!("a check with nothing new took more than one request: {idle}"));
        }
        self.say(&format!("a sync with nothing new: 1 request, {} bytes", number(&idle, "bytes")));
        Ok(())
    }

    fn share(&self, farad: &Farad, url: &str) -> Result<()> {
        self.title(&format!("1.2.0 for a quarter of {FLEET} phones, then for 60 %"));
        self.release(farad, "1.2.0", "25%")?;
        let fleet: Vec<_> = (0..FLEET)
            .map(|n| {
                Device::new(farad, url, &format!("fleet/{n}"), &self.web("1.0.0")).with_key(KEY)
            })
            .collect();
        let before = self.on_new(farad, &fleet)?;
        self.say(&format!("at 25 %: {} of {FLEET} have it", before.len()));
        farad.json(&["rollout", "production", "--percent", "60"])?;
        let after = self.on_new(farad, &fleet)?;
        if !before.iter().all(|phone| after.contains(phone)) {
            return Err("raising the share took the release from somebody".to_owned());
        }
        self.say(&format!(
            "at 60 %: {} have it, the first {} among them",
            after.len(),
            before.len()
        ));
        farad.json(&["rollout", "production", "--percent", "100"]).map(|_| ())
    }

    /// Syncs and starts every phone; those on 1.2.0, held against the rule of the format.
    fn on_new(&self, farad: &Farad, fleet: &[Device<'_>]) -> Result<Vec<usize>> {
        let status = farad.json(&["status"])?;
        let offer = status.pointer("/channels/0/offers/0").cloned().unwrap_or_default();
        let share = number(&offer, "share");
        let mut found = Vec::new();
        for (at, phone) in fleet.iter().enumerate() {
            phone.does("sync")?;
            let boot = phone.does("boot")?;
            if !text(&boot, "token").is_empty() {
                phone.does("ready")?;
            }
            let install = text(&phone.does("state")?, "installId");
            let parsed = (APP.parse(), "production".parse(), install.parse());
            let (Ok(app), Ok(channel), Ok(install)) = parsed else {
                return Err(format!("{install} is no install id"));
            };
            let bucket = farad::rollout::bucket(&app, &channel, &text(&offer, "salt"), &install);
            let new = text(&boot, "version") == "1.2.0";
            if new != (u64::from(bucket) < share) {
                return Err(format!("phone {at} in bucket {bucket} of share {share}: {boot}"));
            }
            if new {
                found.push(at);
            }
        }
        Ok(found)
    }

    fn bad_release(&self, farad: &Farad, phone: &Device<'_>) -> Result<()> {
        self.title("1.3.0 never becomes ready");
        phone.does("sync")?;
        phone.does("boot")?;
        phone.does("ready")?;
        self.release(farad, "1.3.0", "100%")?;
        expect(&phone.does("sync")?, "status", "staged")?;
        for attempt in ["first", "second"] {
            expect(&phone.does("boot")?, "version", "1.3.0")?;
            self.say(&format!("{attempt} start: it is tried, and says nothing"));
        }
        let third = phone.does("boot")?;
        expect(&third, "version", "1.2.0")?;
        let reason = third.pointer("/undone/reason").and_then(Value::as_str);
        if reason != Some("not-ready") {
            return Err(format!("the third start does not say why: {third}"));
        }
        self.say("third start: undone, 1.2.0 runs again, reason not-ready");
        let state = phone.does("state")?;
        if state.pointer("/blocked/0/reason").and_then(Value::as_str) != Some("not-ready") {
            return Err(format!("the state does not tell of the block: {state}"));
        }
        let sync = phone.does("sync")?;
        expect(&sync, "status", "blocked")?;
        self.say(&format!("the next sync leaves it alone: {} bytes", number(&sync, "bytes")));
        Ok(())
    }

    fn roll_back(&self, farad: &Farad, phone: &Device<'_>, other: &Device<'_>) -> Result<()> {
        self.title("The publisher rolls back, with one command");
        other.does("sync")?;
        expect(&other.does("boot")?, "version", "1.3.0")?;
        farad.json(&["rollback", "production"])?;
        for phone in [phone, other] {
            phone.does("sync")?;
            let boot = phone.does("boot")?;
            expect(&boot, "version", "1.2.0")?;
            if !text(&boot, "token").is_empty() {
                phone.does("ready")?;
            }
        }
        self.say("a phone that was trying 1.3.0 and one that had given it up are both on 1.2.0");
        Ok(())
    }

    fn tampering(&self, farad: &Farad) -> Result<()> {
        self.title("A server that changes one byte of every blob");
        let forged = self.path("forged");
        copy(&self.path("updates"), &forged)?;
        for blob in fs::read_dir(forged.join("blobs")).map_err(|error| error.to_string())? {
            let path = blob.map_err(|error| error.to_string())?.path();
            let mut bytes = fs::read(&path).map_err(|error| error.to_string())?;
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 1;
            }
            fs::write(&path, bytes).map_err(|error| error.to_string())?;
        }
        let server = farad.serve(&forged)?;
        let phone = Device::new(farad, &server.url, "attacked", &self.web("1.0.0")).with_key(KEY);
        self.refused(&phone, "hash-mismatch")?;
        expect(&phone.does("boot")?, "bundle", "builtin")
    }

    fn replay(&self, farad: &Farad, timestamp: &[u8]) -> Result<()> {
        self.title("A server that replays the timestamp from before the rollback");
        let stale = self.path("stale");
        copy(&self.path("updates"), &stale)?;
        fs::write(stale.join("metadata/timestamp.json"), timestamp)
            .map_err(|error| error.to_string())?;
        let server = farad.serve(&stale)?;
        let phone = Device::new(farad, &server.url, "phone", &self.web("1.0.0")).with_key(KEY);
        self.refused(&phone, "rollback")?;
        expect(&phone.does("boot")?, "version", "1.2.0")
    }

    fn refused(&self, phone: &Device<'_>, code: &str) -> Result<()> {
        let answer = phone.tries("sync")?;
        let error = answer.get("error").cloned().unwrap_or_default();
        expect(&error, "code", code)?;
        self.say(&format!("refused: {}", text(&error, "message")));
        Ok(())
    }

    fn kills(&self, phone: &Device<'_>) -> Result<()> {
        self.title("A phone whose process is killed in the middle of ten syncs");
        for _ in 0..10 {
            let mut process = phone.process("sync");
            let mut child =
                process.stdout(Stdio::null()).spawn().map_err(|error| error.to_string())?;
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            expect(&phone.does("boot")?, "bundle", "builtin")?;
        }
        phone.does("sync")?;
        let boot = phone.does("boot")?;
        expect(&boot, "version", "1.2.0")?;
        same_files(&self.home.join(text(&boot, "path")), &self.web("1.2.0"))?;
        self.say("every start was good, and the next whole sync brought 1.2.0");
        Ok(())
    }

    fn release(&self, farad: &Farad, version: &str, share: &str) -> Result<()> {
        let web = format!("web/{version}");
        let args = ["release", &web, "--channel", "production", "--version", version];
        let released = farad.json(&[&args[..], &["--rollout", share]].concat())?;
        let (bytes, unpacked) = (number(&released, "bytes"), number(&released, "unpacked"));
        self.say(&format!("released {version} to {share}: {bytes} bytes, {unpacked} unpacked"));
        Ok(())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.join(path)
    }

    fn web(&self, version: &str) -> PathBuf {
        self.home.join("web").join(version)
    }

    fn title(&self, title: &str) {
        println!("\n{title}");
    }

    fn say(&self, what: &str) {
        println!("  {:6.2} s  {what}", self.begun.elapsed().as_secs_f64());
    }
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or_default()
}

fn expect(value: &Value, field: &str, expected: &str) -> Result<()> {
    if text(value, field) == expected {
        return Ok(());
    }
    Err(format!("{field} should be {expected}: {value}"))
}

/// Whether two folders hold the same files; the mark of the embedded release is no part of them.
fn same_files(left: &Path, right: &Path) -> Result<()> {
    let (left_files, right_files) = (files(left, left)?, files(right, right)?);
    if left_files != right_files {
        return Err(format!("{} is not what was published", left.display()));
    }
    Ok(())
}

fn files(root: &Path, folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            found.extend(files(root, &path)?);
        } else if !path.ends_with("farad-embed.json") {
            let bytes = fs::read(&path).map_err(|error| error.to_string())?;
            found.push((path.strip_prefix(root).unwrap_or(&path).to_owned(), bytes));
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for (path, bytes) in files(from, from)? {
        let place = to.join(path);
        let folder = place.parent().unwrap_or(to);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&place, bytes))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}
