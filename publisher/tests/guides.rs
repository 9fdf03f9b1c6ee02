//! The guides of `docs/guides/` for whoever publishes, with the commands that stand there, read from the
//! pages and run in order, and phones that take what they are given. The five-minute start is followed
//! in `tests/host`, since it ends on a page.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use farad_publisher::serve::{Faults, Server};
use serde_json::{Value, json};
use support::page::{Section, sections};
use support::{Device, Shop};

const PASSPHRASES: &str = "root: first of all\nrecovery: last of all\nrelease: in between\nonline: every day\n\
                           opening: to read them\n";

/// A machine with a web folder that is built anew before every block.
struct Desk {
    shop: Shop,
    page: &'static str,
    builds: u64,
}

impl Desk {
    fn new(shop: Shop, page: &'static str) -> Self {
        Self { shop, page, builds: 0 }
    }

    fn section(&self, title: &str) -> Section {
        Section::open(self.page, title)
    }

    /// Runs the next block of a section.
    fn run(&mut self, section: &mut Section, name: &str, variables: &[(&str, String)]) -> String {
        self.builds += 1;
        self.shop.web("dist", self.builds);
        self.shop.sh(&section.next(name), variables)
    }

    fn with_passphrases(mut self) -> Self {
        let file = self.shop.path("passphrases");
        support::secret(&file, PASSPHRASES);
        self.shop.passphrases = Some(file);
        self
    }

    /// The first offer of production.
    fn offer(&self) -> Value {
        let status = self.shop.ok(&["status"]);
        let channels = status["channels"].as_array().unwrap();
        let production = channels.iter().find(|channel| channel["channel"] == "production");
        production.unwrap()["offers"][0].clone()
    }
}

/// A phone that is told more than where to look.
fn phone<'a>(shop: &'a Shop, server: &Server, name: &str, more: &[&str]) -> Device<'a> {
    let mut phone = shop.device(server, name);
    phone.more = more.iter().map(|&word| word.to_owned()).collect();
    phone
}

#[test]
fn every_command_of_the_guides_is_run_somewhere() {
    let tests = [include_str!("guides.rs"), include_str!("hosting.rs")].concat();
    for page in ["rollouts", "sealing", "production", "testing"] {
        for (title, _) in sections(&format!("guides/{page}.md")) {
            assert!(tests.contains(&format!("\"{title}\"")), "{page}: {title}");
        }
    }
}

#[test]
fn rollouts_and_rollback() {
    let mut desk = Desk::new(Shop::new(), "guides/rollouts.md");
    desk.shop.release("1.0.0", 1000);
    let server = desk.shop.serve();

    let mut section = desk.section("A release for some");
    desk.run(&mut section, "", &[]);
    assert_eq!(desk.offer()["share"], 500);
    desk.run(&mut section, "", &[]);
    assert_eq!(phone(&desk.shop, &server, "one", &[]).update()["version"], "1.1.0");
    desk.run(&mut section, "", &[]);
    assert_eq!(phone(&desk.shop, &server, "one", &[]).update()["version"], "1.1.0");
    let late = phone(&desk.shop, &server, "late", &[]);
    assert_eq!(late.does("sync")["status"], "not-offered");
    desk.run(&mut section, "", &[]);
    assert_eq!(phone(&desk.shop, &server, "late", &[]).update()["version"], "1.1.0");
    desk.run(&mut section, "", &[]);
    assert_eq!(desk.offer()["allow"].as_array().unwrap().len(), 1);
    drop(section);

    desk.run(&mut desk.section("Channels"), "", &[]);
    let tester = phone(&desk.shop, &server, "tester", &["--channel", "beta"]);
    assert_eq!(tester.update()["version"], "1.2.0");
    assert_eq!(desk.offer()["share"], 1000);

    // Who is in a share is chance: from here on everyone is to be offered the same.
    desk.shop.ok(&["rollback", "production"]);
    desk.run(&mut desk.section("Releases that need a newer app"), "", &[]);
    let old = phone(&desk.shop, &server, "one", &["--native", "1"]);
    assert_eq!(old.does("sync")["status"], "incompatible");
    let new = ["--native", "42"];
    assert_eq!(phone(&desk.shop, &server, "new", &new).update()["version"], "1.3.0");

    let mut section = desk.section("Back");
    for version in [json!("1.1.0"), json!("1.2.0"), Value::Null, json!("1.3.1")] {
        desk.run(&mut section, "", &[]);
        assert_eq!(phone(&desk.shop, &server, "new", &new).update()["version"], version);
    }
    drop(section);

    let mut section = desk.section("Never again");
    desk.run(&mut section, "", &[]);
    assert_eq!(desk.shop.fails(&["rollback", "production", "--to", "1.2.0"]).0, "revoked");
    desk.run(&mut section, "", &[]);
    assert_eq!(desk.shop.fails(&["rollback", "production", "--to", "1.0.0"]).0, "below-floor");
    drop(section);

    let said = desk.run(&mut desk.section("Looking"), "", &[]);
    assert!(said.contains("offers 1.3.1 to 100 %"), "{said}");
}

#[test]
fn sealing() {
    let mut desk = Desk::new(Shop::empty(), "guides/sealing.md").with_passphrases();
    let mut section = desk.section("From the beginning");
    let said = desk.run(&mut section, "", &[]);
    assert!(said.contains("app") && said.contains("publisher"), "{said}");
    desk.run(&mut section, "", &[]);
    drop(section);
    let server = desk.shop.serve();
    let key = |name: &str| format!("keys/opening/{name}.pem");
    let (first, second) = (key("app"), key("app-2027"));
    let with =
        |key: &str| vec!["--require-sealed".to_owned(), "--recipient-key".into(), key.into()];
    let update = |desk: &Desk, name: &str, key: &str| {
        let mut phone = desk.shop.device(&server, name);
        phone.more = with(key);
        let sync = phone.does("sync");
        let boot = phone.boot_ready();
        (sync["status"].as_str().unwrap().to_owned(), boot["version"].clone())
    };
    assert_eq!(update(&desk, "old", &first), ("staged".to_owned(), json!("1.0.0")));

    let mut section = desk.section("Another key");
    desk.run(&mut section, "", &[]);
    assert_eq!(update(&desk, "old", &first).1, "1.1.0");
    assert_eq!(update(&desk, "new", &second).1, "1.1.0");
    desk.run(&mut section, "", &[]);
    assert_eq!(update(&desk, "old", &first), ("key-missing".to_owned(), json!("1.1.0")));
    assert_eq!(update(&desk, "new", &second).1, "1.2.0");
    drop(section);

    let mut desk = Desk::new(Shop::new(), "guides/sealing.md");
    desk.shop.release("1.0.0", 1000);
    let server = desk.shop.serve();
    desk.run(&mut desk.section("For an app that is out already"), "open", &[]);
    assert_eq!(phone(&desk.shop, &server, "old", &[]).update()["version"], "1.0.0");
    let new = ["--channel", "vault", "--require-sealed", "--recipient-key", &first];
    assert_eq!(phone(&desk.shop, &server, "new", &new).update()["version"], "2.0.0");
}

#[test]
fn production() {
    let mut desk = Desk::new(Shop::empty(), "guides/production.md").with_passphrases();
    desk.shop.ok(&["init", "--app", support::APP]);
    desk.run(&mut desk.section("In the app"), "", &[]);
    assert!(desk.shop.path("dist/farad-embed.json").exists());

    desk.shop.release("1.1.0", 1000);
    let server = desk.shop.serve();
    assert_eq!(phone(&desk.shop, &server, "phone", &[]).update()["version"], "1.1.0");
}

/// A server that keeps a project's history, a hosting, and the secrets of the jobs between them.
struct Ci {
    /// The person's own machine.
    desk: Desk,
    /// `origin.git`, `hosting`, and what stands in for `npm` and `npx`.
    place: tempfile::TempDir,
    /// The keys of releases and of every day, as the jobs get them.
    secrets: [String; 2],
    now: Option<u64>,
}

impl Ci {
    fn new() -> Self {
        let mut desk = Desk::new(Shop::empty(), "guides/production.md").with_passphrases();
        desk.shop.ok(&["init", "--app", support::APP]);
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("bin")).unwrap();
        fs::create_dir(place.path().join("hosting")).unwrap();
        for (name, does) in [("npm", "exit 0"), ("npx", "exec \"$@\"")] {
            let file = place.path().join("bin").join(name);
            fs::write(&file, format!("#!/bin/sh\n{does}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut section = desk.section("Releases by CI");
        desk.run(&mut section, "keys", &[]);
        let file = desk.shop.path("farad-keys.txt");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "keys are in it");
        let all = fs::read_to_string(&file).unwrap();
        let online = "tar --create --gzip --directory keys online | base64 | tr -d '\\n'";
        let online = desk.shop.sh(online, &[]);
        fs::create_dir(desk.shop.path("ci")).unwrap();
        for (name, file) in [("with-keys", "with-keys.sh"), ("commit", "commit.sh")] {
            fs::write(desk.shop.path("ci").join(file), section.next(name)).unwrap();
        }
        // As rsync would have it: what is there stays, but for the timestamp.
        let upload = "tar -C updates -cf - . | tar -C \"$REMOTE\" -xf - --skip-old-files\n\
                      cp updates/metadata/timestamp.json \"$REMOTE/metadata/\"";
        fs::write(desk.shop.path("ci/upload.sh"), upload).unwrap();
        let ci = Self { desk, place, secrets: [all, online], now: None };
        let begun = ci.bash(
            &ci.desk.shop,
            "git init --quiet --bare --initial-branch main \"${ORIGIN#file://}\"
             git init --quiet --initial-branch main .
             git config user.name person && git config user.email person@example.com
             git add farad.toml farad-root.json updates ci && git commit --quiet --message Begin
             git push --quiet \"$ORIGIN\" HEAD:main",
            &[],
        );
        assert!(begun);
        ci
    }

    fn at(&self, name: &str) -> String {
        self.place.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a line as GitHub does. True if it succeeded.
    fn bash(&self, shop: &Shop, line: &str, variables: &[(&str, &str)]) -> bool {
        let farad = Path::new(env!("CARGO_BIN_EXE_farad")).parent().unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", self.at("bin"), farad.display());
        let mut command = Command::new("bash");
        command.args(["-e", "-c", line]).current_dir(shop.home.path()).env_clear();
        command.env("PATH", path).env("HOME", self.place.path());
        command.env("ORIGIN", format!("file://{}", self.at("origin.git")));
        command.env("REMOTE", self.at("hosting")).env("RUNNER_TEMP", self.place.path());
        command.envs(self.now.map(|now| ("FARAD_TEST_NOW", now.to_string())));
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        if !output.status.success() {
            support::say(&format!("{line}: {output:?}"));
        }
        output.status.success()
    }

    /// A fresh clone with a web folder, as a runner has it after its build.
    fn runner(&self, seed: u64) -> Shop {
        let shop = Shop::empty();
        assert!(self.bash(&shop, "git clone --quiet --depth 1 \"$ORIGIN\" .", &[]));
        shop.web("dist", seed);
        shop
    }

    /// Puts a tag on `main` as it is now.
    fn tag(&self, tag: &str) {
        let tag = [("TAG", tag)];
        let line =
            "git tag --annotate --message \"$TAG\" \"$TAG\" && git push --quiet origin \"$TAG\"";
        let person = "git config user.name person && git config user.email person@example.com";
        assert!(self.bash(&self.runner(0), &format!("{person} && {line}"), &tag));
    }

    /// Runs the lines of a workflow, up to the first that fails; tells which that was.
    fn job(&self, shop: &Shop, workflow: &str, tag: &str) -> Option<String> {
        let [all, online] = &self.secrets;
        let both = "online: every day\nrelease: in between";
        let (keys, passphrases) =
            if workflow == "release" { (all, both) } else { (online, "online: every day") };
        let variables = [
            ("VERSION", tag),
            ("GITHUB_REF_NAME", tag),
            ("FARAD_KEYS", keys),
            ("FARAD_PASSPHRASES", passphrases),
        ];
        let failed =
            workflow_lines(workflow).into_iter().find(|line| !self.bash(shop, line, &variables));
        assert!(!shop.path("keys").exists() && !self.place.path().join("passphrases").exists());
        failed
    }

    fn commits(&self) -> usize {
        let shop = Shop::empty();
        assert!(self.bash(
            &shop,
            "git clone --quiet \"$ORIGIN\" . && git log --oneline > log",
            &[]
        ));
        fs::read_to_string(shop.path("log")).unwrap().lines().count()
    }

    fn hosting(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        support::files(&self.place.path().join("hosting"))
    }

    /// Every file of the hosting, as a phone would see it.
    fn verify(&mut self) {
        self.desk.shop.now = self.now;
        let server =
            Server::start(&self.place.path().join("hosting"), 0, Faults::default()).unwrap();
        self.desk.shop.ok(&["verify", &server.url()]);
    }
}

/// The `run` lines of a workflow that stands in the guide.
fn workflow_lines(name: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/guides/production.md")).unwrap();
    let (_, rest) = page.split_once(&format!("\n```yaml\nname: {name}\n")).unwrap();
    let (workflow, _) = rest.split_once("\n```").unwrap();
    assert!(workflow.contains("concurrency: { group: farad, cancel-in-progress: false }"));
    let lines: Vec<_> = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- run: ").map(str::to_owned))
        .collect();
    assert!(lines.len() > 4, "{lines:?}");
    lines
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "only a debug build has another clock")]
fn jobs_in_fresh_clones_make_one_history() {
    let mut ci = Ci::new();
    for (tag, seed) in [("v1.1.0", 1), ("v1.2.0", 2)] {
        ci.tag(tag);
        assert_eq!(ci.job(&ci.runner(seed), "release", tag), None);
        ci.verify();
    }
    assert_eq!(ci.commits(), 3, "every release is kept");
    let desk = ci.runner(3);
    let newest = desk.ok(&["history", "production"]);
    assert!(newest["history"].as_array().unwrap().iter().any(|step| step["sequence"] == 2));

    // A quiet day.
    let before = ci.hosting();
    assert_eq!(ci.job(&ci.runner(4), "daily", "main"), None);
    assert!(ci.commits() == 3 && ci.hosting() == before);
    // Ten days later there is something to sign.
    let signed = fs::metadata(ci.place.path().join("hosting/metadata/timestamp.json"));
    let signed = signed.unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    ci.now = Some(signed.as_secs() + 10 * 86_400);
    assert_eq!(ci.job(&ci.runner(5), "daily", "main"), None);
    assert_eq!(ci.commits(), 4);
    ci.verify();

    // What somebody else changed meanwhile: the later one reaches no phone.
    ci.tag("v1.3.0");
    ci.tag("v1.3.1");
    let (first, second) = (ci.runner(6), ci.runner(7));
    assert_eq!(ci.job(&first, "release", "v1.3.0"), None);
    let before = ci.hosting();
    let failed = ci.job(&second, "release", "v1.3.1");
    assert!(failed.unwrap().contains("commit.sh"));
    assert!(ci.commits() == 5 && ci.hosting() == before);
    ci.verify();
}

#[test]
fn a_job_releases_what_was_tagged_or_nothing() {
    let mut ci = Ci::new();
    ci.tag("v1.1.0");
    // The job waits for a person, and a colleague pushes another app.
    let push = "echo new > src.js && git add src.js && git config user.name colleague &&
                git config user.email colleague@example.com && git commit --quiet --message Later &&
                git push --quiet origin HEAD:main";
    assert!(ci.bash(&ci.runner(1), push, &[]));
    let before = ci.hosting();
    let failed = ci.job(&ci.runner(2), "release", "v1.1.0");
    assert!(failed.unwrap().contains("git diff"));
    assert!(ci.commits() == 2 && ci.hosting() == before);
    // What jobs changed meanwhile is no other app.
    ci.tag("v1.1.1");
    ci.tag("v1.1.2");
    for (tag, seed) in [("v1.1.1", 3), ("v1.1.2", 4)] {
        assert_eq!(ci.job(&ci.runner(seed), "release", tag), None);
    }
    ci.verify();
}

#[test]
fn keys_are_taken_away_where_a_job_is_cancelled() {
    let blocks = sections("guides/production.md").into_iter().flat_map(|(_, blocks)| blocks);
    let (_, script) = blocks.into_iter().find(|(name, _)| name == "with-keys").unwrap();
    let runner = Shop::empty();
    fs::write(runner.path("with-keys.sh"), script).unwrap();
    let keys = runner.sh("tar --create --gzip --files-from /dev/null | base64 | tr -d '\\n'", &[]);
    for signal in ["HUP", "INT", "TERM"] {
        // The command sees the keys, and then somebody ends the job.
        let command = format!("test -d keys && touch seen-{signal} && kill -{signal} $PPID");
        // Whoever runs this test may ignore signals (nohup, a job in the background), and a shell traps
        // none that it was begun to ignore.
        let mut job = Command::new("env");
        job.args(["--default-signal", "sh", "-eu", "with-keys.sh", "sh", "-c", &command]);
        job.current_dir(runner.home.path());
        job.env("RUNNER_TEMP", runner.home.path());
        job.env("FARAD_KEYS", &keys).env("FARAD_PASSPHRASES", "online: every day");
        let output = job.output().unwrap();
        assert!(!output.status.success() && runner.path(&format!("seen-{signal}")).exists());
        assert!(!runner.path("keys").exists(), "{signal}: {output:?}");
        assert!(!runner.path("passphrases").exists(), "{signal}: {output:?}");
    }
}

#[test]
fn testing() {
    let mut desk = Desk::new(Shop::empty(), "guides/testing.md");
    desk.run(&mut desk.section("On this machine, as a bundle"), "", &[]);
    let server = desk.shop.serve();
    let boot = phone(&desk.shop, &server, "phone", &[]).update();
    let shown = fs::read(desk.shop.path(boot["path"].as_str().unwrap()).join("index.html"));
    assert_eq!(shown.unwrap(), fs::read(desk.shop.path("dist/index.html")).unwrap());
}
