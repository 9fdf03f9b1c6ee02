//! Sealed channels through the real command: who reads what, and what a stranger with all files sees.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;

use farad::digest::Digest;
use support::{APP, Device, Shop, files, secret};

/// A project whose channels are sealed for `keys/opening/app.pem`.
fn sealed_shop(channels: &[&str]) -> Shop {
    let shop = Shop::empty();
    let mut args = vec!["init", "--app", APP, "--no-passphrase", "--sealed"];
    channels.iter().for_each(|channel| args.extend(["--channel", channel]));
    shop.ok(&args);
    shop
}

fn with_key<'a>(mut device: Device<'a>, key: &str) -> Device<'a> {
    device.more.extend(["--require-sealed".to_owned(), "--recipient-key".to_owned()]);
    device.more.push(format!("keys/opening/{key}.pem"));
    device
}

#[test]
fn a_sealed_release_is_read_by_its_recipients_and_nobody_else() {
    let shop = sealed_shop(&["production"]);
    let released = shop.release("1.0.0", 1);
    assert_eq!(released["recipients"].as_array().unwrap().len(), 2);
    let server = shop.serve();
    let stranger = shop.device(&server, "stranger");
    assert_eq!(stranger.does("sync")["status"], "key-missing");
    assert_eq!(stranger.does("boot")["bundle"], "builtin");
    let phone = with_key(shop.device(&server, "phone"), "app");
    assert_eq!(phone.does("sync")["via"], "pack");
    let boot = phone.boot_ready();
    assert_eq!(phone.shown(&boot), files(&shop.path("web-1.0.0")));
    // The publisher's own key opens it too, for looking and for what is to come.
    let verified = shop.ok(&["verify", "updates"]);
    assert_eq!((&verified["releases"], &verified["unopened"]), (&1.into(), &1.into()));
    let key = "keys/opening/publisher.pem";
    assert_eq!(shop.ok(&["verify", "updates", "--recipient-key", key])["unopened"], 0);
    // A key that comes later is as good.
    let late = with_key(shop.device(&server, "stranger"), "app");
    assert_eq!(late.update()["version"], "1.0.0");
}

#[test]
fn the_repository_tells_no_path_no_digest_and_has_no_pattern() {
    let shop = sealed_shop(&["production"]);
    shop.release("1.0.0", 1);
    shop.ok(&["embed", "web-1.0.0"]);
    shop.release("1.1.0", 2);
    let notes = shop.path("notes");
    fs::write(&notes, "Nobody may know that prices fall on Friday. ".repeat(20)).unwrap();
    shop.web("web-1.2.0", 3);
    let args = ["--channel", "production", "--version", "1.2.0", "--notes", "notes"];
    shop.ok(&[&["release", "web-1.2.0"], &args[..]].concat());
    let published = shop.published();
    let has = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    let mut looked = 0;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        for (path, content) in files(&shop.path(&format!("web-{version}"))) {
            let (path, digest) = (path.to_string_lossy().into_owned(), Digest::of(&content));
            if path == "farad-embed.json" {
                continue;
            }
            for (file, bytes) in &published {
                let file = file.display();
                assert!(!has(bytes, path.as_bytes()), "{file} tells of {path}");
                assert!(!has(bytes, digest.as_bytes()), "{file} tells the digest of {path}");
                assert!(!has(bytes, digest.to_string().as_bytes()), "{file} tells {path}");
                looked += 1;
            }
        }
    }
    assert!(looked > 100, "{looked}");
    let mut blobs = 0;
    for (path, bytes) in published.iter().filter(|(path, _)| path.starts_with("blobs")) {
        let smaller = zstd::bulk::compress(bytes, 19).unwrap().len();
        assert!(smaller * 100 > bytes.len() * 99, "{} has a pattern", path.display());
        assert!(!has(bytes, b"Friday"));
        blobs += 1;
    }
    assert!(blobs >= 10, "{blobs}");
}

#[test]
fn keys_rotate_without_a_new_app_while_one_known_recipient_remains() {
    let shop = sealed_shop(&["production"]);
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let old = with_key(shop.device(&server, "old"), "app");
    assert_eq!(old.update()["version"], "1.0.0");
    // Builds from now on ship another key; those in the field have the first.
    shop.ok(&["key", "recipient", "new", "app-2"]);
    shop.release("1.1.0", 2);
    let new = with_key(shop.device(&server, "new"), "app-2");
    assert_eq!(new.update()["version"], "1.1.0");
    assert_eq!(old.update()["version"], "1.1.0");
    // The first leaked: what comes now is for the others alone.
    shop.ok(&["key", "recipient", "retire", "app"]);
    shop.release("1.2.0", 3);
    assert_eq!(new.update()["version"], "1.2.0");
    assert_eq!(old.does("sync")["status"], "key-missing");
    // One that was not heard of for a while gets the last that was sealed for it, too.
    let late = with_key(shop.device(&server, "late"), "app");
    assert_eq!(late.update()["version"], "1.1.0");
    assert_eq!(late.does("sync")["status"], "key-missing");
    assert_eq!(old.does("boot")["version"], "1.1.0", "it runs what it has");
    // Until the old build gets the new key, too.
    let old = with_key(shop.device(&server, "old"), "app-2");
    assert_eq!(old.update()["version"], "1.2.0");
    let listed = shop.ok(&["key", "recipient", "list"]);
    let text = listed["releases"][0]["recipients"].to_string();
    assert!(text.contains("(unknown)"), "{listed}");
}

#[test]
fn a_key_that_openssl_made_is_a_recipient_like_any_other() {
    let shop = sealed_shop(&["production"]);
    // As `openssl genpkey -algorithm X25519` and `openssl pkey -pubout` write them.
    let private = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIAADiUC3isVw9YizmQqhjwSdKxJkJBTP/KbFB1twJmVz
-----END PRIVATE KEY-----
";
    let public = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEA7M9Uj8Kt2WwbXt5KCndXYzJadHG3+XhD//VNN+D0/W4=
-----END PUBLIC KEY-----
";
    fs::write(shop.path("keys/opening/fleet.pem"), private).unwrap();
    fs::write(shop.path("fleet.pub"), public).unwrap();
    shop.ok(&["key", "recipient", "add", "fleet", "fleet.pub"]);
    assert_eq!(shop.fails(&["key", "recipient", "add", "again", "fleet.pub"]).0, "exists");
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = with_key(shop.device(&server, "phone"), "fleet");
    // Anybody could read the file as it was written; the command wants it private.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = shop.path("keys/opening/fleet.pem");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(phone.fails("sync").0, "key-readable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(phone.update()["version"], "1.0.0");
}

#[test]
fn a_promotion_moves_no_blob_and_wraps_for_the_recipients_of_its_channel() {
    let shop = sealed_shop(&["beta", "production"]);
    shop.ok(&["key", "recipient", "new", "testers", "--channel", "beta"]);
    shop.web("web", 1);
    shop.ok(&["release", "web", "--channel", "beta", "--version", "1.0.0"]);
    let blobs = || {
        let mut published = shop.published();
        published.retain(|path, _| path.starts_with("blobs"));
        published.into_keys().collect::<Vec<_>>()
    };
    let before = blobs();
    shop.ok(&["promote", "1.0.0", "--from", "beta", "--to", "production"]);
    assert_eq!(blobs(), before, "the very same bytes");
    let server = shop.serve();
    let phone = with_key(shop.device(&server, "phone"), "app");
    assert_eq!(phone.update()["version"], "1.0.0");
    // Testers read beta; production was never sealed for them.
    let tester = with_key(shop.device(&server, "tester"), "testers");
    assert_eq!(tester.does("sync")["status"], "key-missing");
    let mut beta = with_key(shop.device(&server, "beta"), "testers");
    beta.more.extend(["--channel".to_owned(), "beta".to_owned()]);
    assert_eq!(beta.update()["version"], "1.0.0");
}

#[test]
fn nothing_open_slips_into_a_sealed_channel_and_nothing_sealed_out_of_it() {
    let shop = sealed_shop(&["beta", "production"]);
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    let opened =
        toml.replacen("[channels.beta]\nkeep = 10\nsealed = true", "[channels.beta]\nkeep = 10", 1);
    assert_ne!(opened, toml);
    fs::write(shop.path("farad.toml"), &opened).unwrap();
    shop.web("web", 1);
    shop.ok(&["release", "web", "--channel", "beta", "--version", "1.0.0"]);
    shop.ok(&["release", "web", "--channel", "production", "--version", "2.0.0"]);
    let promote = |version: &str, from: &str, to: &str| {
        shop.fails(&["promote", version, "--from", from, "--to", to]).0
    };
    assert_eq!(promote("1.0.0", "beta", "production"), "seal-differs");
    assert_eq!(promote("2.0.0", "production", "beta"), "seal-differs");
    // A phone that wants sealed releases takes no other, whoever signed it.
    let server = shop.serve();
    let mut phone = with_key(shop.device(&server, "phone"), "app");
    phone.more.extend(["--channel".to_owned(), "beta".to_owned()]);
    let before = server.requests().len();
    assert_eq!(phone.fails("sync").0, "seal");
    assert!(!server.requests()[before..].iter().any(|line| line.contains("/blobs/")));
    assert_eq!(phone.does("boot")["bundle"], "builtin");
}

#[test]
fn a_line_that_went_missing_does_not_unseal_a_channel() {
    let shop = sealed_shop(&["production"]);
    shop.release("1.0.0", 1);
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    fs::write(shop.path("farad.toml"), toml.replacen("sealed = true", "", 1)).unwrap();
    shop.web("web", 2);
    let release = ["release", "web", "--channel", "production", "--version", "1.1.0"];
    let before = shop.published();
    assert_eq!(shop.fails(&release).0, "seal-differs");
    assert_eq!(shop.published(), before);
    assert!(shop.ok(&[&release[..], &["--unseal"]].concat())["recipients"].is_null());
}

#[test]
fn what_was_sealed_is_no_base_of_an_open_patch() {
    let shop = sealed_shop(&["production"]);
    shop.release("1.0.0", 1);
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    fs::write(shop.path("farad.toml"), toml.replacen("sealed = true", "", 1)).unwrap();
    let changed = |version: &str| {
        let text = format!("export const release = {version:?};\n").repeat(2900);
        fs::write(shop.path("web-1.0.0/assets/app.js"), text).unwrap();
        let release = ["release", "web-1.0.0", "--channel", "production", "--version", version];
        shop.ok(&[&release[..], &["--unseal"]].concat())["patches"].as_array().unwrap().len()
    };
    // A patch would name the old bundle, its paths and their lengths to everybody.
    assert_eq!(changed("1.1.0"), 0);
    assert_eq!(changed("1.2.0"), 1, "from 1.1.0 alone");
}

#[test]
fn a_promotion_unseals_no_channel() {
    let shop = sealed_shop(&["production"]);
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    shop.release("1.0.0", 1);
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    fs::write(shop.path("farad.toml"), toml.replacen("sealed = true", "", 1)).unwrap();
    shop.web("web", 2);
    shop.ok(&["release", "web", "--channel", "beta", "--version", "1.1.0"]);
    let promote = ["promote", "1.1.0", "--from", "beta", "--to", "production"];
    shop.refuses(&promote, "seal-differs", "release it there with --unseal");
}

#[test]
fn a_channel_that_is_asked_to_be_sealed_is_sealed_whatever_farad_toml_said_of_it() {
    let shop = sealed_shop(&["production"]);
    // What an attempt leaves that came to nothing: settings of a channel that there is not.
    let left = |settings: &str| {
        let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
        fs::write(shop.path("farad.toml"), format!("{toml}\n[channels.{settings}\n")).unwrap();
    };
    left("vault]\nkeep = 20");
    shop.ok(&["channel", "add", "vault", "--sealed", "--no-passphrase"]);
    shop.web("web", 1);
    let released = shop.ok(&["release", "web", "--channel", "vault", "--version", "1.0.0"]);
    assert!(released["recipients"].is_array(), "{released}");
    let listed = shop.ok(&["channel", "list"]);
    let vault = listed["channels"].as_array().unwrap().iter().find(|c| c["channel"] == "vault");
    let vault = vault.unwrap();
    assert_eq!((&vault["sealed"], &vault["keep"]), (&true.into(), &20.into()));
    let said = String::from_utf8(shop.run(&["channel", "list"]).stdout).unwrap();
    assert!(said.contains("vault: sealed, 1 release listed"), "{said}");
    // Nor is one made open behind the back of whoever wrote that it is sealed.
    left("closed]\nsealed = true");
    let add = ["channel", "add", "closed", "--no-passphrase"];
    shop.refuses(&add, "seal-differs", "--sealed");
}

#[test]
fn a_channel_that_was_taken_away_leaves_no_settings_and_no_recipient_of_its_own() {
    let shop = Shop::empty();
    let init = ["init", "--app", APP, "--no-passphrase", "--sealed", "--threshold", "targets=2of2"];
    shop.ok(&[&init[..], &["--channel", "beta", "--channel", "production"]].concat());
    shop.ok(&["key", "recipient", "new", "testers", "--channel", "beta"]);
    let both = ["--channel", "beta", "--channel", "production"];
    shop.ok(&[&["key", "recipient", "new", "staff"][..], &both].concat());
    // One of the two who sign for it is elsewhere: it is published by `farad sign`.
    let (key, away) = (shop.path("keys/root/targets-2.pem"), shop.path("away.pem"));
    fs::rename(&key, &away).unwrap();
    let file = shop.waits(&["channel", "remove", "beta"]);
    fs::rename(&away, &key).unwrap();
    assert_eq!(shop.ok(&["sign", &file, "--yes"])["published"], true);
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    assert!(!toml.contains("beta]") && !toml.contains("testers"), "{toml}");
    let recipients = shop.ok(&["key", "recipient", "list"])["recipients"].clone();
    let staff = recipients.as_array().unwrap().iter().find(|r| r["name"] == "staff").unwrap();
    assert_eq!(staff["channels"], serde_json::json!(["production"]));
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
}

#[test]
fn what_a_retired_key_opens_is_not_promoted() {
    let shop = sealed_shop(&["beta", "production"]);
    shop.ok(&["key", "recipient", "new", "app-2"]);
    shop.web("web", 1);
    shop.ok(&["release", "web", "--channel", "beta", "--version", "1.0.0"]);
    shop.ok(&["key", "recipient", "retire", "app"]);
    let promote = ["promote", "1.0.0", "--from", "beta", "--to", "production"];
    assert_eq!(shop.fails(&promote).0, "seal-differs");
    // Taken back, it is a recipient again, under the key that lies there.
    shop.ok(&["key", "recipient", "new", "app"]);
    shop.ok(&promote);
}

#[test]
fn the_publisher_changes_its_own_key_and_still_opens_what_the_first_one_did() {
    let shop = sealed_shop(&["production"]);
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    fs::write(shop.path("farad.toml"), format!("# ours\n{toml}")).unwrap();
    shop.release("1.0.0", 1);
    let first = shop.ok(&["key", "recipient", "list"])["recipients"][1]["kid"].clone();
    let second = shop.ok(&["key", "recipient", "renew", "--no-passphrase"])["kid"].clone();
    assert_ne!(first, second);
    let released = shop.release("1.1.0", 2);
    let recipients = released["recipients"].as_array().unwrap().clone();
    assert!(recipients.contains(&second) && !recipients.contains(&first));
    for version in ["1.0.0", "1.1.0"] {
        shop.ok(&["embed", &format!("web-{version}")]);
    }
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    assert!(toml.starts_with("# ours\n"), "what its owner wrote stays: {toml}");
    // Without the first, what it opened is closed, and in nobody's way.
    fs::remove_file(shop.path("keys/opening/publisher-1.pem")).unwrap();
    shop.ok(&["embed", "web-1.1.0"]);
    assert_eq!(shop.fails(&["embed", "web-1.0.0"]).0, "not-released");
}

#[test]
fn what_was_sealed_for_an_earlier_key_of_the_publisher_is_promoted() {
    let shop = sealed_shop(&["beta", "production"]);
    shop.web("web", 1);
    shop.ok(&["release", "web", "--channel", "beta", "--version", "1.0.0"]);
    shop.ok(&["key", "recipient", "renew", "--no-passphrase"]);
    shop.ok(&["key", "recipient", "renew", "--no-passphrase"]);
    let listed = shop.ok(&["key", "recipient", "list"]);
    let mut names: Vec<_> =
        listed["releases"][0]["recipients"].as_array().unwrap().iter().collect();
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names, ["app", "publisher (an earlier key)"]);
    shop.ok(&["promote", "1.0.0", "--from", "beta", "--to", "production"]);
    // Wrapped anew for the key of today; phones open it as before.
    let key = "keys/opening/publisher.pem";
    assert_eq!(shop.ok(&["verify", "updates", "--recipient-key", key])["unopened"], 1);
    let server = shop.serve();
    let phone = with_key(shop.device(&server, "phone"), "app");
    assert_eq!(phone.update()["version"], "1.0.0");
}

#[test]
fn a_renewal_that_cannot_be_leaves_the_key_as_it_was() {
    let shop = sealed_shop(&["production"]);
    let before = (files(&shop.path("keys")), fs::read(shop.path("farad.toml")).unwrap());
    let now = || (files(&shop.path("keys")), fs::read(shop.path("farad.toml")).unwrap());
    // Nobody is there to ask for a passphrase.
    assert_eq!(shop.fails(&["key", "recipient", "renew"]).0, "passphrase");
    assert!(now() == before);
    shop.ok(&["key", "recipient", "renew", "--no-passphrase"]);
    let read = |name: &str| fs::read(shop.path("keys/opening").join(name)).unwrap();
    let first = &before.0[std::path::Path::new("opening/publisher.pem")];
    assert!(read("publisher-1.pem") == *first && read("publisher.pem") != *first);
}

#[test]
fn a_channel_that_no_phone_could_read_is_refused() {
    let shop = sealed_shop(&["production"]);
    let fails = |args: &[&str]| shop.fails(args).0;
    assert_eq!(fails(&["key", "recipient", "retire", "app"]), "no-recipient");
    assert_eq!(fails(&["key", "recipient", "retire", "publisher"]), "no-recipient");
    assert_eq!(fails(&["key", "recipient", "retire", "nobody"]), "unknown-recipient");
    assert_eq!(fails(&["key", "recipient", "new", "app"]), "exists");
    assert_eq!(fails(&["key", "recipient", "new", "../x"]), "bad-name");
    assert_eq!(fails(&["key", "recipient", "new", "publisher"]), "exists");
    // Thirty-two zero bytes are a point that nothing can be sealed for.
    let zero = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
-----END PUBLIC KEY-----
";
    fs::write(shop.path("zero.pub"), zero).unwrap();
    assert_eq!(fails(&["key", "recipient", "add", "zero", "zero.pub"]), "key-invalid");
    let toml = fs::read_to_string(shop.path("farad.toml")).unwrap();
    let typo = toml.replacen("[recipients.app]", "[recipients.app]\nchannels = [\"prodution\"]", 1);
    fs::write(shop.path("farad.toml"), typo).unwrap();
    assert_eq!(fails(&["key", "recipient", "list"]), "config-invalid");
    let open = Shop::new();
    let new = ["key", "recipient", "new", "app", "--channel", "production"];
    assert_eq!(open.fails(&new).0, "not-sealed");
}

#[test]
fn a_built_in_release_is_found_by_its_label_and_outlives_the_list() {
    let shop = sealed_shop(&["production"]);
    shop.release("1.0.0", 1);
    let embedded = shop.ok(&["embed", "web-1.0.0"]);
    assert_eq!(embedded["sequence"], 1);
    for n in 1..=11 {
        shop.release(&format!("1.{n}.0"), n + 1);
    }
    shop.ok(&["prune", "--keep-days", "0"]);
    let manifest = embedded["manifest"].as_str().unwrap();
    let kept = format!("targets/production/releases/{manifest}.1.json");
    assert!(shop.path("updates").join(kept).is_file(), "it says what opens the built-in release");
    let server = shop.serve();
    let mut phone = with_key(shop.device(&server, "phone"), "app");
    phone.more.extend(["--builtin".to_owned(), "web-1.0.0".to_owned()]);
    assert_eq!(phone.update()["version"], "1.11.0");
}

#[cfg(unix)]
#[test]
fn opening_keys_are_for_their_owner_alone_and_the_publishers_takes_a_passphrase() {
    use std::os::unix::fs::PermissionsExt;
    let mut shop = Shop::empty();
    secret(
        &shop.path("passphrases"),
        "root: r-correct-horse\nrecovery: v-correct-horse\nrelease: c-correct-horse\nonline: o-correct-horse\nopening: p-correct-horse\n",
    );
    shop.passphrases = Some(shop.path("passphrases"));
    let lines = fs::read_to_string(shop.path("passphrases")).unwrap();
    fs::write(shop.path("passphrases"), lines.replace("opening: p-correct-horse\n", "")).unwrap();
    assert_eq!(shop.fails(&["init", "--app", APP, "--sealed"]).0, "passphrase");
    assert!(!shop.path("keys").exists() && !shop.path("updates/metadata").exists());
    fs::write(shop.path("passphrases"), lines).unwrap();
    shop.ok(&["init", "--app", APP, "--sealed"]);
    for name in ["app", "publisher"] {
        let path = shop.path(&format!("keys/opening/{name}.pem"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let encrypted = fs::read_to_string(&path).unwrap().contains("ENCRYPTED");
        assert_eq!(encrypted, name == "publisher", "{name}");
    }
    shop.release("1.0.0", 1);
    assert_eq!(shop.ok(&["embed", "web-1.0.0"])["sequence"], 1);
    // A backup takes the publisher's own keys, today's and earlier ones; the app's ships in the app.
    shop.ok(&["key", "recipient", "renew"]);
    let backup = shop.ok(&["key", "backup", "stick", "--group", "opening"]);
    let own = ["opening/publisher.pem", "opening/publisher-1.pem"];
    assert_eq!(backup["keys"], serde_json::json!(own));
    for path in own {
        let read = |folder: &str| fs::read(shop.path(folder).join(path)).unwrap();
        assert!(read("stick") == read("keys"), "{path}");
    }
    shop.ok(&["key", "backup", "another-stick"]);
    assert!(shop.path("another-stick/opening/publisher-1.pem").exists());
    fs::write(
        shop.path("passphrases"),
        "root: x\nrelease: c-correct-horse\nonline: o-correct-horse\nopening: wrong\n",
    )
    .unwrap();
    assert_eq!(shop.fails(&["embed", "web-1.0.0"]).0, "wrong-passphrase");
    let backup = ["key", "backup", "third-stick", "--group", "opening"];
    assert_eq!(shop.fails(&backup).0, "wrong-passphrase");
}
