//! What a publisher and a phone live through together, by the real command over loopback.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use support::{Shop, files};

#[test]
fn a_release_reaches_a_phone_and_stays() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    shop.release("1.1.0", 2);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    assert_eq!(phone.does("boot")["bundle"], "builtin");
    let sync = phone.does("sync");
    assert_eq!(
        (&sync["status"], &sync["version"], &sync["via"]),
        (&"staged".into(), &"1.1.0".into(), &"pack".into())
    );
    let boot = phone.boot_ready();
    assert_eq!(boot["version"], "1.1.0");
    assert_eq!(phone.shown(&boot), files(&shop.path("web-1.1.0")));
    let again = phone.does("boot");
    assert_eq!((&again["version"], &again["token"]), (&"1.1.0".into(), &().into()));
}

#[test]
fn a_check_with_nothing_new_is_one_request() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    phone.update();
    let before = server.requests().len();
    assert_eq!(phone.does("check")["status"], "up-to-date");
    assert_eq!(phone.does("sync")["status"], "up-to-date");
    let asked = server.requests().split_off(before);
    assert_eq!(asked, ["GET /metadata/timestamp.json", "GET /metadata/timestamp.json"]);
}

#[test]
fn a_release_that_never_becomes_ready_is_undone_at_the_third_start_and_left_alone() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    phone.update();
    shop.release("1.1.0", 2);
    phone.does("sync");
    for _ in 0..2 {
        assert_eq!(phone.does("boot")["version"], "1.1.0");
    }
    let third = phone.does("boot");
    assert_eq!(
        (&third["version"], &third["undone"]["reason"]),
        (&"1.0.0".into(), &"not-ready".into())
    );
    assert_eq!(phone.does("state")["blocked"][0]["reason"], "not-ready");
    let before = server.requests().len();
    assert_eq!(phone.does("sync")["status"], "blocked");
    assert!(!server.requests()[before..].iter().any(|line| line.contains("/blobs/")));
    // A fix under the next version is taken.
    shop.release("1.1.1", 3);
    assert_eq!(phone.update()["version"], "1.1.1");
}

#[test]
fn rollback_brings_the_earlier_release_back_at_the_next_sync_and_start() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    phone.update();
    shop.release("1.1.0", 2);
    assert_eq!(phone.update()["version"], "1.1.0");
    shop.ok(&["rollback", "production"]);
    let sync = phone.does("sync");
    assert_eq!((&sync["version"], &sync["via"]), (&"1.0.0".into(), &"local".into()));
    let boot = phone.boot_ready();
    assert_eq!(phone.shown(&boot), files(&shop.path("web-1.0.0")));

    shop.ok(&["rollback", "production", "--builtin"]);
    phone.does("sync");
    let boot = phone.does("boot");
    assert_eq!((&boot["bundle"], &boot["token"]), (&"builtin".into(), &().into()));
}

#[test]
fn the_same_files_under_another_version_are_not_fetched_again() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    phone.update();
    shop.release("1.0.1", 1);
    let sync = phone.does("sync");
    assert_eq!((&sync["status"], &sync["via"]), (&"staged".into(), &"local".into()));
    assert!(phone.boot_ready()["token"].is_string(), "a fresh trial all the same");
}

#[test]
fn a_build_that_was_forgotten_is_told() {
    let shop = Shop::new();
    let first = shop.release("1.0.0", 1);
    assert!(first["same_as"].is_null(), "{first}");
    let args = ["release", "web-1.0.0", "--channel", "production", "--version", "1.0.1"];
    let said = String::from_utf8(shop.run(&args).stdout).unwrap();
    assert!(said.contains("Its files are those of 1.0.0"), "{said}");
    assert_eq!(shop.release("1.1.0", 1)["same_as"], "1.0.1");
    assert!(shop.release("1.2.0", 2)["same_as"].is_null());
}

#[test]
fn a_paused_rollout_gives_nothing_new() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    shop.ok(&["rollout", "production", "--pause"]);
    assert_eq!(phone.does("sync")["status"], "not-offered");
    shop.ok(&["rollout", "production", "--resume"]);
    assert_eq!(phone.does("sync")["status"], "staged");
}

#[test]
fn an_allowed_installation_goes_first() {
    let shop = Shop::new();
    shop.web("web", 1);
    let args = ["release", "web", "--channel", "production", "--version", "1.0.0"];
    shop.ok(&[&args[..], &["--rollout", "0.01%"]].concat());
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    let install = phone.does("state")["installId"].as_str().unwrap().to_owned();
    shop.ok(&["rollout", "production", "--allow", &install]);
    assert_eq!(phone.does("sync")["status"], "staged");
}

#[test]
fn revoked_and_below_the_floor_never_run_again() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    phone.update();
    shop.release("1.1.0", 2);
    phone.update();
    shop.ok(&["revoke", "1.1.0", "--channel", "production"]);
    phone.does("sync");
    assert_eq!(phone.does("boot")["version"], "1.0.0");
    shop.release("1.2.0", 3);
    shop.ok(&["floor", "1.2.0", "--channel", "production"]);
    let (code, _) = shop.fails(&["rollback", "production", "--to", "1.0.0"]);
    assert_eq!(code, "below-floor");
    assert_eq!(phone.update()["version"], "1.2.0");
}

#[test]
fn a_release_for_newer_apps_is_not_taken_by_older_ones() {
    let shop = Shop::new();
    shop.web("web", 1);
    let args = ["release", "web", "--channel", "production", "--version", "2.0.0"];
    shop.ok(&[&args[..], &["--android", "40..", "--ios", "2.1.."]].concat());
    let server = shop.serve();
    for (platform, native, expected) in [
        ("android", "39", "incompatible"),
        ("android", "40", "staged"),
        ("ios", "2.0.9", "incompatible"),
        ("ios", "2.10", "staged"),
    ] {
        let mut phone = shop.device(&server, &format!("{platform}-{native}"));
        phone.more = ["--platform", platform, "--native", native].map(str::to_owned).to_vec();
        assert_eq!(phone.does("sync")["status"], expected, "{platform} {native}");
    }
}

#[test]
fn older_apps_are_offered_what_was_there_before_and_told_of_what_is_not_for_them() {
    let shop = Shop::new();
    shop.release("1.9.0", 1);
    let server = shop.serve();
    let app = |name: &str, build: &str| {
        let mut phone = shop.device(&server, name);
        phone.more = ["--native", build].map(str::to_owned).to_vec();
        phone
    };
    let (old, late, new) = (app("old", "41"), app("late", "41"), app("new", "42"));
    assert_eq!(old.update()["version"], "1.9.0");
    shop.web("web", 2);
    let args = ["release", "web", "--channel", "production", "--version", "2.0.0"];
    shop.ok(&[&args[..], &["--android", "42.."]].concat());
    assert_eq!(new.update()["version"], "2.0.0");
    assert_eq!(new.does("sync")["status"], "up-to-date");
    // One that was not heard of for a while, and that is said twice what waits.
    for _ in 0..2 {
        let sync = late.does("sync");
        assert_eq!((&sync["status"], &sync["version"]), (&"staged".into(), &"1.9.0".into()));
    }
    late.boot_ready();
    for phone in [old, late] {
        let sync = phone.does("sync");
        assert_eq!((&sync["status"], &sync["version"]), (&"incompatible".into(), &"2.0.0".into()));
        assert_eq!(phone.does("boot")["version"], "1.9.0");
    }
}

#[test]
fn an_embedded_release_is_where_the_phone_starts_and_never_falls_below() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    shop.release("1.1.0", 2);
    shop.ok(&["embed", "web-1.1.0"]);
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = ["--builtin", "web-1.1.0"].map(str::to_owned).to_vec();
    let boot = phone.does("boot");
    assert_eq!((&boot["bundle"], &boot["version"]), (&"builtin".into(), &"1.1.0".into()));
    assert_eq!(phone.does("sync")["status"], "up-to-date");
    shop.ok(&["rollback", "production", "--to", "1.0.0"]);
    assert_eq!(phone.does("sync")["status"], "not-offered", "older than what the app brought");
    // A release that shares files with the built-in bundle takes nothing it has.
    shop.release("1.1.1", 2);
    assert_eq!(phone.does("sync")["via"], "local");
}

#[test]
fn promoting_offers_the_same_content_in_another_channel() {
    let shop = Shop::empty();
    let args = ["init", "--app", support::APP, "--no-passphrase", "--channel", "production"];
    shop.ok(&[&args[..], &["--channel", "beta"]].concat());
    shop.web("web", 1);
    shop.ok(&["release", "web", "--channel", "beta", "--version", "1.0.0"]);
    let blobs = fs::read_dir(shop.path("updates/blobs")).unwrap().count();
    shop.ok(&["promote", "1.0.0", "--from", "beta", "--to", "production"]);
    assert_eq!(fs::read_dir(shop.path("updates/blobs")).unwrap().count(), blobs);
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    let boot = phone.update();
    assert_eq!(phone.shown(&boot), files(&shop.path("web")));
}

#[test]
fn what_may_not_run_in_its_own_channel_is_not_promoted() {
    let shop = Shop::empty();
    let args = ["init", "--app", support::APP, "--no-passphrase", "--channel", "production"];
    shop.ok(&[&args[..], &["--channel", "beta"]].concat());
    for (version, seed) in [("1.0.0", 1), ("1.1.0", 2), ("1.2.0", 3)] {
        let web = format!("web-{version}");
        shop.web(&web, seed);
        shop.ok(&["release", &web, "--channel", "beta", "--version", version]);
    }
    shop.ok(&["revoke", "1.2.0", "--channel", "beta"]);
    shop.ok(&["floor", "1.1.0", "--channel", "beta"]);
    let promote = |version| ["promote", version, "--from", "beta", "--to", "production"];
    shop.refuses(&promote("1.2.0"), "revoked", "1.2.0 is revoked in beta");
    shop.refuses(&promote("1.0.0"), "below-floor", "1.0.0 lies below the floor of beta");
    shop.ok(&promote("1.1.0"));
}

#[test]
fn what_may_not_run_is_not_built_into_an_app() {
    let shop = Shop::new();
    for (version, seed) in [("1.0.0", 1), ("1.1.0", 2), ("1.2.0", 3)] {
        shop.release(version, seed);
    }
    shop.ok(&["embed", "web-1.2.0"]);
    shop.ok(&["revoke", "1.2.0", "--channel", "production"]);
    shop.ok(&["floor", "1.1.0", "--channel", "production"]);
    fs::remove_file(shop.path("web-1.2.0/farad-embed.json")).unwrap();
    let refused = [("1.2.0", "revoked", "is revoked in"), ("1.0.0", "below-floor", "lies below")];
    for (version, code, why) in refused {
        let web = format!("web-{version}");
        shop.refuses(&["embed", &web], code, &format!("{version} {why}"));
        assert!(!shop.path(&web).join("farad-embed.json").exists());
    }
    assert_eq!(shop.ok(&["embed", "web-1.1.0"])["sequence"], 2);
    // The very same content under another number is another release.
    shop.ok(&["release", "web-1.2.0", "--channel", "production", "--version", "1.3.0"]);
    assert_eq!(shop.ok(&["embed", "web-1.2.0"])["sequence"], 4);
}

#[test]
fn a_held_bundle_waits_for_the_apps_word() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let mut phone = shop.device(&server, "phone");
    phone.more = vec!["--hold".to_owned()];
    assert_eq!(phone.does("sync")["status"], "held");
    assert_eq!(phone.does("boot")["bundle"], "builtin");
    phone.does("apply");
    assert_eq!(phone.boot_ready()["version"], "1.0.0");
}

#[test]
fn every_flipped_bit_in_the_repository_is_noticed_by_verify() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    shop.ok(&["verify", "updates"]);
    for (path, bytes) in shop.published() {
        let place = shop.path("updates").join(&path);
        let text = String::from_utf8_lossy(&bytes);
        let superseded = path.starts_with("metadata")
            && path.to_string_lossy().contains("/1.")
            && !path.ends_with("1.root.json")
            && !path.ends_with("1.targets.json");
        let old = path.starts_with("targets") && text.contains("\"offers\":[]");
        if superseded || old {
            continue;
        }
        let places: Vec<usize> = match text.find("\"signed\":") {
            Some(signed) => (signed + 10..bytes.len() - 1).step_by(97).collect(),
            None => [0, bytes.len() / 2, bytes.len() - 1].to_vec(),
        };
        for at in places {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&place, &changed).unwrap();
            let output = shop.run(&["verify", "updates"]);
            assert_eq!(output.status.code(), Some(1), "{} at {at}", path.display());
        }
        fs::write(&place, &bytes).unwrap();
    }
    shop.ok(&["verify", "updates"]);
}

#[test]
fn verify_over_http_agrees() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    let server = shop.serve();
    let local = shop.ok(&["verify", "updates"]);
    assert_eq!(shop.ok(&["verify", &server.url(), "--root", "farad-root.json"]), local);
}

#[test]
fn refresh_signs_nothing_that_is_young_and_prune_removes_what_nothing_names() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    assert_eq!(shop.ok(&["refresh"])["signed"], serde_json::json!([]));
    fs::write(shop.path("updates/blobs").join("0".repeat(64)), b"stray").unwrap();
    assert_eq!(shop.ok(&["prune"])["files"], 0, "too young");
    shop.ok(&["prune", "--keep-days", "0"]);
    shop.ok(&["verify", "updates"]);
    assert!(!shop.path("updates/blobs").join("0".repeat(64)).exists());
    let server = shop.serve();
    assert_eq!(shop.device(&server, "phone").update()["version"], "1.0.0");
}

#[test]
fn history_and_status_tell_the_story() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    shop.release("1.1.0", 2);
    shop.ok(&["rollback", "production"]);
    let history = shop.ok(&["history", "production"])["history"].as_array().unwrap().clone();
    let releases: Vec<_> = history.iter().filter_map(|step| step["release"].as_str()).collect();
    assert_eq!(releases, ["1.0.0", "1.1.0"]);
    assert_eq!(history.iter().filter(|step| step["step"].is_u64()).count(), 4);
    let status = shop.ok(&["status"]);
    assert_eq!(status["channels"][0]["offers"][0]["release"]["sequence"], 1);
    assert_eq!(status["roles"].as_array().unwrap().len(), 6);
    let output = shop.run(&["status", "--within", "30d"]);
    assert_eq!(output.status.code(), Some(1), "the timestamp expires in 14 days");
}

#[test]
fn a_project_without_a_channel_works() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    shop.ok(&["channel", "remove", "production"]);
    for args in
        [["status"].as_slice(), &["history"], &["channel", "list"], &["key", "list"], &["refresh"]]
    {
        shop.ok(args);
    }
    let release = ["release", "web-1.0.0", "--channel", "production", "--version", "1.0.0"];
    shop.refuses(&release, "unknown-channel", "");
    shop.ok(&["channel", "add", "production", "--no-passphrase"]);
    assert_eq!(shop.release("1.1.0", 2)["sequence"], 2);
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "only a debug build has another clock")]
fn what_expires_soon_is_told_whoever_signs_it() {
    let mut shop = Shop::new();
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    fs::remove_dir_all(shop.path("keys/root")).unwrap();
    fs::remove_dir_all(shop.path("keys/release")).unwrap();
    // The daily job of a year. It signs what it can, and says what it cannot.
    for (day, expected) in [(300, 0), (355, 0), (360, 1), (364, 1)] {
        shop.now = Some(made + day * 86_400);
        shop.ok(&["refresh"]);
        let status = shop.run(&["status", "--within", "7d"]);
        assert_eq!(status.status.code(), Some(expected), "day {day}: {status:?}");
        let said = String::from_utf8(status.stdout).unwrap();
        let soon = said.lines().filter(|line| line.contains("EXPIRES: its key has to be fetched"));
        assert_eq!(soon.count(), 2 * usize::try_from(expected).unwrap(), "{said}");
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "only a debug build has another clock")]
fn nothing_is_published_that_phones_would_refuse_as_expired() {
    let mut shop = Shop::new();
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    shop.release("1.0.0", 1);
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    fs::rename(shop.path("keys/root"), shop.path("safe")).unwrap();
    shop.now = Some(made + 370 * 86_400);
    shop.ok(&["refresh"]);
    shop.web("web-1.1.0", 2);
    for change in [
        ["release", "web-1.1.0", "--channel", "production", "--version", "1.1.0"].as_slice(),
        &["rollout", "production", "--percent", "50"],
        &["rollback", "production", "--builtin"],
        &["revoke", "1.0.0", "--channel", "production"],
        &["release", "web-1.1.0", "--channel", "production", "--version", "1.1.0", "--dry-run"],
    ] {
        shop.refuses(change, "expired", "farad refresh targets");
    }
    // The way out, one role by one.
    fs::rename(shop.path("safe"), shop.path("keys/root")).unwrap();
    shop.ok(&["refresh", "targets"]);
    assert_eq!(shop.ok(&["rollout", "production", "--percent", "50"])["published"], true);
    shop.ok(&["verify", "updates"]);

    // What has expired in one channel keeps no other from going on; after root, too, there is a way.
    shop.now = Some(made + 740 * 86_400);
    shop.refuses(&["rollout", "production", "--percent", "60"], "expired", "farad refresh root");
    for role in ["root", "targets", "production"] {
        shop.ok(&["refresh", role]);
    }
    assert_eq!(shop.ok(&["rollout", "production", "--percent", "60"])["published"], true);
}
