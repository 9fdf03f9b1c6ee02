//! The five-minute start (`docs/guides/start.md`), followed to the letter: its commands and files, in
//! its order, in an empty folder with an empty home, and then on the phone.
//!
//! What is not as the page says: where packages would be installed, what was built here is put; port
//! 8080 becomes a free one; the app has patience with a slow machine.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use farad_host::routes::Platform;
use serde_json::{Value, json};

use crate::phone::{Phone, Running, free_port};
use crate::publisher::{native_build, write};
use crate::web::root;

const PAGE: &str = "docs/guides/start.md";

/// One block of the page: the words behind its fence, and what stands in it.
struct Block {
    kind: Vec<String>,
    text: String,
}

/// A reader of the page at a machine that never saw the project.
struct Reader {
    sections: VecDeque<(String, Vec<Block>)>,
    machine: tempfile::TempDir,
    /// Where the terminal is.
    at: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Reader {
    fn new() -> Self {
        let port = free_port();
        let page = fs::read_to_string(root().join(PAGE)).unwrap();
        let page = page.replace("8080", &port.to_string());
        let machine = tempfile::tempdir().unwrap();
        let at = machine.path().join("empty");
        fs::create_dir(&at).unwrap();
        fs::create_dir(machine.path().join("home")).unwrap();
        Self { sections: sections(&page), machine, at, port, server: None }
    }

    /// Does what the next section says, which must be this one.
    fn follow(&mut self, title: &str) {
        let (found, blocks) = self.sections.pop_front().expect("the page has this section");
        assert_eq!(found, title);
        for block in blocks {
            let kind: Vec<_> = block.kind.iter().map(String::as_str).collect();
            match kind[..] {
                ["sh"] => self.run(&block.text),
                ["sh", "install"] => self.install(&block.text),
                ["sh", "server"] => self.serve(&block.text),
                // What it does is done by `native_app`.
                ["sh", "phone"] => assert!(block.text.contains("cp farad-root.json")),
                [_, file] => write(&self.at.join(file), block.text.as_bytes()),
                _ => panic!("{title}: a block that is neither typed nor saved: {kind:?}"),
            }
        }
    }

    fn shell(&self, commands: &str) -> Command {
        let node = String::from_utf8(run(Command::new("which").arg("node"))).unwrap();
        let node = Path::new(node.trim()).parent().unwrap().to_owned();
        let places = [node, "/usr/local/bin".into(), "/usr/bin".into(), "/bin".into()];
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", commands]).current_dir(&self.at).env_clear();
        shell.env("PATH", std::env::join_paths(places).unwrap());
        shell.env("HOME", self.machine.path().join("home"));
        // Whatever is not there is not to be fetched.
        shell.env("npm_config_offline", "true").env("npm_config_update_notifier", "false");
        shell.stdin(Stdio::null());
        shell
    }

    /// Types a block; the terminal stays where it leads.
    fn run(&mut self, commands: &str) {
        let place = self.machine.path().join("at");
        run(&mut self.shell(&format!("{commands}\npwd > {}", place.display())));
        self.at = fs::read_to_string(place).unwrap().trim().into();
    }

    /// Puts the packages that `npm install` would bring.
    fn install(&self, commands: &str) {
        let modules = self.at.join("node_modules");
        fs::create_dir_all(modules.join(".bin")).unwrap();
        for line in commands.lines() {
            let words = line.strip_prefix("npm install ").expect("npm install").split(' ');
            for package in words.filter(|word| !word.starts_with("--")) {
                match package {
                    "@farad/capacitor" => self.unpack_plugin(&modules.join(package)),
                    "@farad/cli" => symlink(command(), modules.join(".bin/farad")).unwrap(),
                    _ => link(package, &modules),
                }
            }
        }
    }

    /// The plugin as `npm publish` would send it.
    fn unpack_plugin(&self, place: &Path) {
        let (from, to) = (root(), self.machine.path());
        let pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination"];
        let packed = run(Command::new("npm").args(pack).arg(to).current_dir(from));
        let archive = to.join(String::from_utf8(packed).unwrap().lines().last().unwrap());
        fs::create_dir_all(place).unwrap();
        let unpack = ["--extract", "--strip-components=1", "--file"];
        run(Command::new("tar").args(unpack).arg(archive).arg("--directory").arg(place));
    }

    /// The second terminal.
    fn serve(&mut self, commands: &str) {
        let mut shell = self.shell(commands);
        // A group of its own: npx, its shell and the server end together.
        let mut server = shell.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let line = lines.next().expect("it says where it serves").unwrap();
        assert!(line.ends_with(&format!(" at http://127.0.0.1:{}", self.port)), "{line}");
        self.server = Some(server);
    }

    /// What `cap sync` and a build make of the folder, as the page has it.
    fn native_app(&self, platform: Platform) -> Phone {
        let config = fs::read_to_string(self.at.join("capacitor.config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        let web = self.at.join(config["webDir"].as_str().unwrap());
        let place = self.machine.path().join("native");
        let package = native_build(platform, &web, &self.at.join("farad-root.json"), &place);
        let mut settings = config["plugins"]["Farad"].clone();
        settings["readyTimeout"] = json!(600_000);
        let mut phone = Phone::new(platform, package, settings);
        phone.app.id = config["appId"].as_str().unwrap().to_owned();
        phone
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = Command::new("kill").args(["--", &format!("-{}", server.id())]).status();
            let _ = server.wait();
        }
    }
}

/// Title and blocks of every section that has blocks.
fn sections(page: &str) -> VecDeque<(String, Vec<Block>)> {
    let parts = page.split("\n## ").skip(1).map(|part| {
        let (title, body) = part.split_once('\n').unwrap();
        let blocks = body.split("\n```").skip(1).step_by(2).map(|block| {
            let (kind, text) = block.split_once('\n').unwrap();
            let kind = kind.split(' ').map(str::to_owned).collect();
            Block { kind, text: format!("{text}\n") }
        });
        (title.to_owned(), blocks.collect::<Vec<_>>())
    });
    parts.filter(|(_, blocks)| !blocks.is_empty()).collect()
}

/// Runs something to its good end, and returns what it printed.
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
    output.stdout
}

/// The built command.
fn command() -> PathBuf {
    let built = std::env::var_os("FARAD").map(PathBuf::from).unwrap_or_else(|| {
        let tests = std::env::current_exe().unwrap();
        tests.parent().unwrap().with_file_name("farad")
    });
    assert!(built.exists(), "there is no {}; `cargo xtask journey` builds it", built.display());
    built
}

/// A package that this project has installed for itself, with its commands.
fn link(package: &str, modules: &Path) {
    let places = ["node_modules", "examples/app/node_modules"].map(|place| root().join(place));
    let from = places.iter().find(|place| place.join(package).exists());
    let from = from.unwrap_or_else(|| panic!("{package} is not among what is installed here"));
    let (from, to) = (fs::canonicalize(from).unwrap(), modules.join(package));
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    symlink(from.join(package), to).unwrap();
    for bin in fs::read_dir(from.join(".bin")).unwrap() {
        let bin = bin.unwrap().path();
        let target = fs::read_link(&bin).unwrap();
        if target.starts_with(Path::new("..").join(package)) {
            let place = modules.join(".bin").join(bin.file_name().unwrap());
            symlink(fs::canonicalize(bin).unwrap(), place).unwrap();
        }
    }
}

fn shows(app: &Running, heading: &str, version: &str) {
    app.until(&format!(
        "document.querySelector('h1')?.textContent === '{heading}' \
         && document.querySelector('#version')?.textContent === '{version}'"
    ));
}

/// Closes the app and opens it.
fn reopen(app: &Running, phone: &Phone) -> Running {
    app.kill();
    phone.start()
}

#[test]
fn the_five_minute_start_reaches_an_updated_page() {
    let mut reader = Reader::new();
    reader.follow("1. An app");
    reader.follow("2. Keys and a repository");
    reader.follow("3. What the app brings along");
    let mut phone = reader.native_app(Platform::Android);
    let app = phone.start();
    shows(&app, "One", "1.0.0");

    reader.follow("4. A server");
    reader.follow("5. The first update");
    let app = reopen(&app, &phone);
    shows(&app, "One", "1.0.0");
    app.wait_for("tell updateStaged");
    let app = reopen(&app, &phone);
    shows(&app, "Two", "1.1.0");
    app.picture("guide");
    app.wait_for("call ready");
    app.wait_for("resolve");

    reader.follow("6. A broken one");
    let app = reopen(&app, &phone);
    app.wait_for("tell updateStaged");
    // As the page has it: one who stays gets back too. What runs and is confirmed has no deadline.
    phone.app.settings["readyTimeout"] = json!(1000);
    let app = reopen(&app, &phone);
    app.wait_for("tell rolledBack");
    shows(&app, "Two", "1.1.0");
    let blocked = app.eval("Capacitor.Plugins.Farad.getState().then((state) => state.blocked)");
    // Its version may be gone from the device by now, with all the rest of it.
    assert_eq!(blocked.as_array().map(Vec::len), Some(1), "{blocked}");
    assert_eq!(blocked[0]["reason"], "not-ready");

    reader.follow("7. Taken back for everyone");
    reader.follow("8. No phone at hand?");
    assert!(reader.sections.is_empty(), "sections that were not followed");
}
