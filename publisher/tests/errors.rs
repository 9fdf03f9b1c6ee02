//! What goes wrong is said in one sentence, with a code, and changes nothing that a phone can reach.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;
use support::{APP, Shop, secret};

/// Fails with this code and changes no published file.
fn refuses(shop: &Shop, args: &[&str], code: &str, mentions: &str) {
    let before = shop.published();
    let (got, message) = shop.fails(args);
    assert_eq!(got, code, "{message}");
    assert!(message.contains(mentions), "{message}");
    assert!(shop.published() == before, "{args:?} changed the repository");
}

#[test]
fn a_release_that_cannot_be_right_is_refused() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let release = |web: &str, version: &str| -> Vec<String> {
        ["release", web, "--channel", "production", "--version", version]
            .map(str::to_owned)
            .to_vec()
    };
    let refused = |web: &str, version: &str, code: &str, mentions: &str| {
        let args = release(web, version);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        refuses(&shop, &args, code, mentions);
    };
    fs::create_dir_all(shop.path("empty")).unwrap();
    refused("empty", "1.1.0", "no-index-html", "index.html");
    refused("nowhere", "1.1.0", "no-web-folder", "nowhere");
    refused("web-1.0.0", "1.0.0", "exists", "1.0.0");
    refused("web-1.0.0", "one", "bad-version", "1.4.0");
    shop.web("colliding", 1);
    fs::write(shop.path("colliding/Index.html"), "x").unwrap();
    refused("colliding", "1.1.0", "unsafe-path", "Index.html");
    for (at, file) in ["Assets", "ASSETS/x.js", "assets/Img"].into_iter().enumerate() {
        let web = format!("colliding-{at}");
        shop.web(&web, 1);
        let place = shop.path(&web).join(file);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, "x").unwrap();
        // A file and a folder are one as well, and so are two folders.
        refused(&web, "1.1.0", "unsafe-path", "are one on some disks");
    }
    shop.web("reserved", 1);
    fs::write(shop.path("reserved/nul.txt"), "x").unwrap();
    refused("reserved", "1.1.0", "unsafe-path", "nul.txt");
    shop.web("linked", 1);
    std::os::unix::fs::symlink("/etc/passwd", shop.path("linked/link")).unwrap();
    refused("linked", "1.1.0", "malformed", "link");
    shop.web("larger", 1);
    fs::write(shop.path("larger/big.bin"), vec![7; 3 << 20]).unwrap();
    refused("larger", "1.1.0", "larger", "--allow-larger");
    let unknown = ["release", "web-1.0.0", "--channel", "staging", "--version", "1.1.0"];
    refuses(&shop, &unknown, "unknown-channel", "production");
    refuses(&shop, &["rollback", "production", "--to", "9.9.9"], "unknown-version", "1.0.0");
    refuses(&shop, &["embed", "larger"], "not-released", "farad release");
}

#[test]
fn a_dry_run_changes_nothing() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let before = shop.published();
    shop.web("web", 2);
    let args = ["release", "web", "--channel", "production", "--version", "1.1.0", "--dry-run"];
    shop.ok(&args);
    shop.ok(&["rollout", "production", "--percent", "5", "--dry-run"]);
    shop.ok(&["revoke", "1.0.0", "--channel", "production", "--dry-run"]);
    assert!(shop.published() == before);
}

#[test]
fn keys_are_encrypted_private_and_never_on_the_command_line() {
    let shop = Shop::empty();
    secret(&shop.path("pass"), "root: one two three\nrelease: four five\nonline: six seven\n");
    let with = |args: &[&str], file: &str| {
        let mut command = shop.command(args);
        command.env("FARAD_PASSPHRASE_FILE", shop.path(file)).output().unwrap()
    };
    assert!(with(&["init", "--app", APP], "pass").status.success());
    let mut keys = support::files(&shop.path("keys"));
    assert_eq!(keys.remove(std::path::Path::new(".gitignore")).as_deref(), Some(&b"*\n"[..]));
    keys.retain(|path, _| path.extension().unwrap() != "json");
    assert_eq!(keys.len(), 2 * 7, "a private and a public part each");
    for (path, key) in keys {
        let private = path.extension().unwrap() == "pem";
        let label = if private { "ENCRYPTED PRIVATE KEY" } else { "PUBLIC KEY" };
        let text = String::from_utf8(key).unwrap();
        assert!(text.starts_with(&format!("-----BEGIN {label}-----\n")), "{}", path.display());
    }
    let pem = shop.path("keys/online/timestamp.pem");
    assert_eq!(fs::metadata(&pem).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(shop.path("keys/root")).unwrap().permissions().mode() & 0o777, 0o700);

    shop.web("web", 1);
    let release = ["release", "web", "--channel", "production", "--version", "1.0.0"];
    let before = shop.published();
    secret(&shop.path("wrong"), "something else\n");
    let output = with(&release, "wrong");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("wrong passphrase for the") && said.contains("[wrong-passphrase]"),
        "{said}"
    );
    assert!(!said.contains("something else"));
    let (code, message) = shop.fails(&release);
    assert_eq!(code, "passphrase", "{message}");
    assert!(shop.published() == before);
    assert!(with(&release, "pass").status.success());

    fs::set_permissions(&pem, fs::Permissions::from_mode(0o644)).unwrap();
    let said =
        String::from_utf8(with(&["rollout", "production", "--pause"], "pass").stderr).unwrap();
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn a_passphrase_for_new_keys_is_no_short_one_and_lies_where_nobody_else_reads_it() {
    let mut shop = Shop::empty();
    let pass = shop.path("pass");
    shop.passphrases = Some(pass.clone());
    let init = ["init", "--app", APP];
    for short in ["", "a\n", "1234567\n", "root: \nrecovery: \nrelease: \nonline: \n"] {
        secret(&pass, short);
        assert_eq!(shop.fails(&init).0, "passphrase", "{short:?}");
    }
    secret(&pass, "correct horse\n");
    fs::set_permissions(&pass, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, message) = shop.fails(&init);
    assert_eq!(code, "key-readable");
    assert!(message.contains("chmod 600"), "{message}");
    assert!(!shop.path("keys").exists());
    // Handed over as it was opened: who else reads it is that one's affair, and a pipe has no mode.
    shop.passphrases = None;
    let farad = env!("CARGO_BIN_EXE_farad");
    for (args, given) in
        [("init --app com.example.shop", "3<pass"), ("key new alice", "3<<E\ncorrect horse\nE\n")]
    {
        let line = format!("exec {farad} --passphrase-fd 3 {args} {given}");
        let mut sh = std::process::Command::new("sh");
        let output = sh.args(["-c", &line]).current_dir(shop.path("")).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
}

#[test]
fn openssl_opens_our_keys_where_there_is_one() {
    let shop = Shop::empty();
    secret(&shop.path("pass"), "correct horse\n");
    let mut init = shop.command(&["init", "--app", APP]);
    assert!(init.env("FARAD_PASSPHRASE_FILE", shop.path("pass")).status().unwrap().success());
    let pem = shop.path("keys/root/root.pem");
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["pkey", "-noout", "-text", "-passin", "pass:correct horse", "-in"]).arg(&pem);
    match openssl.output() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("ED25519"));
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}

#[test]
fn init_overwrites_nothing() {
    let shop = Shop::new();
    let before = support::files(shop.home.path());
    let (code, _) = shop.fails(&["init", "--app", APP, "--no-passphrase"]);
    assert_eq!(code, "exists");
    assert!(support::files(shop.home.path()) == before);
    let bad = Shop::empty();
    assert_eq!(bad.fails(&["init", "--app", "no spaces", "--no-passphrase"]).0, "config-invalid");
    let args = ["init", "--app", APP, "--channel", "Production", "--no-passphrase"];
    assert_eq!(bad.fails(&args).0, "config-invalid");
    assert!(support::files(bad.home.path()).is_empty());
}

#[test]
fn a_device_says_what_is_wrong_and_goes_on() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    phone.update();

    let other = Shop::new();
    fs::copy(other.path("farad-root.json"), shop.path("other-root.json")).unwrap();
    let mut wrong = shop.device(&server, "wrong");
    wrong.more = ["--root", "other-root.json", "--app", APP].map(str::to_owned).to_vec();
    let (code, message) = wrong.fails("sync");
    assert!(message.contains("farad-root.json"), "{message}");
    assert!(["signature", "root-version"].contains(&code.as_str()), "{code}");

    let mut beta = shop.device(&server, "beta");
    beta.more = ["--channel", "beta"].map(str::to_owned).to_vec();
    let (code, message) = beta.fails("sync");
    assert_eq!(code, "config-invalid");
    assert!(message.contains("beta"), "{message}");

    let mut offline = shop.device(&server, "phone");
    drop(server);
    let (code, message) = offline.fails("sync");
    assert_eq!(code, "network", "{message}");
    assert_eq!(offline.does("boot")["version"], "1.0.0");
    offline.url = "http://updates.example.com".to_owned();
    assert_eq!(offline.fails("sync").0, "config-invalid");
}

#[test]
fn a_port_in_use_is_said() {
    let shop = Shop::new();
    let server = shop.serve();
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let (code, message) = shop.fails(&["serve", "--port", &port]);
    assert_eq!(code, "port-in-use");
    assert!(message.contains("--port"), "{message}");
}

#[test]
fn wrong_usage_is_exit_code_two() {
    let shop = Shop::empty();
    for args in [
        &["release"][..],
        &["nonsense"],
        &["rollout", "production"],
        &["release", "x", "--rollout", "200%"],
    ] {
        assert_eq!(shop.run(args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(shop.run(&["--help"]).status.code(), Some(0));
    assert_eq!(shop.fails(&["status"]).0, "no-project");
}

#[test]
fn publishers_at_once_wait_for_each_other() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let running: Vec<_> = (0..6)
        .map(|n| {
            let percent = format!("{}", n * 10);
            let mut command = shop.command(&["rollout", "production", "--percent", &percent]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in running {
        assert!(child.wait().unwrap().success(), "the later ones wait");
    }
    shop.ok(&["verify", "updates"]);
    let steps = shop.ok(&["history"])["history"].as_array().unwrap().clone();
    assert_eq!(steps.iter().filter(|step| step["step"].is_u64()).count(), 2 + 6);
}

#[test]
fn what_a_killed_publisher_left_behind_is_removed_by_the_next() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let stray = shop.path("updates/metadata/3.production-rollout.json");
    fs::write(&stray, b"half").unwrap();
    fs::write(shop.path("updates/metadata/.3.snapshot.json.tmp"), b"half").unwrap();
    shop.ok(&["rollout", "production", "--percent", "50"]);
    shop.ok(&["verify", "updates"]);
    assert_ne!(fs::read(&stray).unwrap(), b"half");
    assert!(!shop.path("updates/metadata/.3.snapshot.json.tmp").exists());
}

#[test]
fn what_is_not_for_everybody_is_never_released() {
    let shop = Shop::new();
    let web = shop.web("web", 1);
    fs::create_dir_all(shop.path("pending")).unwrap();
    for folder in [".", "keys", "keys/root", "updates", "pending", "web/../keys"] {
        fs::write(shop.path(folder).join("index.html"), "<!doctype html>").unwrap();
        let release = ["release", folder, "--channel", "production", "--version", "1.0.0"];
        shop.refuses(&release, "unsafe-path", "a release is for everybody");
        fs::remove_file(shop.path(folder).join("index.html")).unwrap();
    }
    let release = ["release", "web", "--channel", "production", "--version", "1.0.0"];
    let key = fs::read(shop.path("keys/root/root.pem")).unwrap();
    let cases: [(&str, &[u8]); 6] = [
        (".git/config", b"[core]"),
        ("assets/.svn/entries", b"12"),
        (".env", b"TOKEN=1"),
        (".env.production", b"TOKEN=1"),
        ("assets/app.pem", &key),
        ("assets/hidden.txt", &key),
    ];
    for (path, bytes) in cases {
        let place = web.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes).unwrap();
        shop.refuses(&release, "unsafe-path", "take it out");
        fs::remove_file(&place).unwrap();
    }
    // What file managers leave is no part of a release; what a web site may need is.
    let kept = support::files(&web);
    fs::create_dir_all(web.join("__MACOSX/assets")).unwrap();
    for left in [
        ".DS_Store",
        "assets/Thumbs.db",
        "assets/img/Desktop.ini",
        "assets/._app.js",
        "__MACOSX/._index.html",
        "__MACOSX/assets/app.js",
    ] {
        fs::write(web.join(left), "left behind").unwrap();
    }
    fs::create_dir(web.join(".well-known")).unwrap();
    fs::write(web.join(".well-known/assetlinks.json"), "[]").unwrap();
    let said = shop.ok(&release);
    assert_eq!(said["left_out"], 6, "{said}");
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    let boot = phone.update();
    assert_eq!(phone.shown(&boot).len(), kept.len() + 1);
}

#[test]
fn wrong_usage_is_said_in_json_where_that_is_asked_for() {
    let shop = Shop::new();
    for args in [
        ["rollout", "production", "--json"].as_slice(),
        &["rollout", "production", "--percent", "101", "--json"],
        &["--json", "status", "--within", "1w"],
    ] {
        let output = shop.run(args);
        assert_eq!(output.status.code(), Some(2));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["error"]["code"], "bad-usage");
        let message = said["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains(['\n', '\u{1b}']), "{message}");
    }
    let plain = shop.run(&["rollout", "production"]);
    assert!(plain.stdout.is_empty() && plain.status.code() == Some(2));
}

#[test]
fn a_channel_that_is_named_like_a_role_makes_nothing() {
    for name in ["root", "targets", "snapshot", "timestamp", "beta-releases", "beta-rollout"] {
        let empty = Shop::empty();
        let init = ["init", "--app", APP, "--no-passphrase", "--channel", name];
        let (code, said) = empty.fails(&init);
        assert_eq!((code.as_str(), said.contains(name)), ("config-invalid", true), "{said}");
        assert!(support::files(empty.home.path()).is_empty());
    }
    let shop = Shop::new();
    let before = fs::read(shop.path("farad.toml")).unwrap();
    for name in ["root", "beta-releases"] {
        shop.refuses(&["channel", "add", name, "--no-passphrase"], "config-invalid", name);
    }
    assert!(fs::read(shop.path("farad.toml")).unwrap() == before);
    shop.ok(&["channel", "add", "releases", "--no-passphrase"]);
}

#[test]
fn a_channel_that_is_named_twice_makes_nothing() {
    let shop = Shop::empty();
    let init = ["init", "--app", APP, "--no-passphrase", "--channel", "x", "--channel", "x"];
    assert_eq!(shop.fails(&init).0, "exists");
    assert!(support::files(shop.home.path()).is_empty());
}
