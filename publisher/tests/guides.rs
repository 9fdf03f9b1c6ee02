//! The guides of `docs/guides/` for whoever publishes, with the commands that stand there, read from the
//! pages and run in order, and phones that take what they are given. The five-minute start is followed
//! in `tests/host`, since it ends on a page.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use farad_publisher::serve::Server;
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

    let mut section = desk.section("Releases by CI");
    desk.run(&mut section, "keys", &[]);
    let file = desk.shop.path("farad-keys.txt");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "keys are in it");
    let keys = fs::read_to_string(file).unwrap();
    let mut ci = Desk::new(Shop::empty(), "guides/production.md");
    ci.shop.pull(&desk.shop);
    let runner = tempfile::tempdir().unwrap();
    let temp = runner.path().to_str().unwrap().to_owned();
    let secrets = [
        ("FARAD_KEYS", keys),
        ("FARAD_PASSPHRASES", "online: every day\nrelease: in between".to_owned()),
        ("RUNNER_TEMP", temp),
        ("VERSION", "v1.1.0".to_owned()),
    ];
    ci.builds = 100;
    ci.run(&mut section, "ci", &secrets);
    drop(section);
    assert!(!ci.shop.path("keys").exists());
    assert_eq!(fs::read_dir(runner.path()).unwrap().count(), 0, "no passphrase stays");
    assert_eq!(ci.offer()["share"], 1000);

    desk.shop.pull(&ci.shop);
    desk.run(&mut desk.section("Every day"), "ci-daily", &[]);
    desk.shop.ok(&["rollout", "production", "--percent", "100"]);
    let server = desk.shop.serve();
    assert_eq!(phone(&desk.shop, &server, "phone", &[]).update()["version"], "1.1.0");
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
