//! Small updates through the real command: what travels, and what happens when it does not fit.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::path::Path;

use farad_publisher::serve::Server;
use serde_json::Value;
use support::{Device, Shop, files};

/// A web folder that is the same for every version but for one line of a script, which renames it.
fn web(shop: &Shop, name: &str, version: u64) {
    let folder = shop.web(name, 7);
    let script = fs::read_to_string(folder.join("assets/app.js")).unwrap();
    fs::remove_file(folder.join("assets/app.js")).unwrap();
    let unique: String = (0..4000).map(|n| format!("t{}=>{n};", n * 7919 % 10007)).collect();
    let script = format!("{}{unique}\nexport const version = {version};\n", &script[..2000]);
    fs::write(folder.join(format!("assets/app-{version:08x}.js")), script).unwrap();
    let page = format!("<script src=assets/app-{version:08x}.js></script>");
    fs::write(folder.join("index.html"), page).unwrap();
}

fn release(shop: &Shop, version: u64) -> Value {
    let (name, text) = (format!("web-{version}"), format!("1.{version}.0"));
    web(shop, &name, version);
    shop.ok(&["release", &name, "--channel", "production", "--version", &text])
}

fn sealed() -> Shop {
    let shop = Shop::empty();
    shop.ok(&["init", "--app", support::APP, "--no-passphrase", "--sealed"]);
    shop
}

fn phone<'a>(shop: &'a Shop, server: &Server, name: &str) -> Device<'a> {
    let mut device = shop.device(server, name);
    if shop.path("keys/opening/app.pem").exists() {
        device.more = ["--recipient-key", "keys/opening/app.pem"].map(str::to_owned).to_vec();
    }
    device
}

fn assert_shows(phone: &Device<'_>, boot: &Value, web: &str) {
    let mut wanted = files(&phone.shop.path(web));
    wanted.remove(Path::new("farad-embed.json"));
    assert_eq!(phone.shown(boot), wanted);
}

fn manifest(shop: &Shop, version: &str) -> Value {
    let manifests = files(&shop.path("updates/targets/production/releases"));
    let mut manifests = manifests.values().map(|bytes| serde_json::from_slice(bytes).unwrap());
    manifests.find(|manifest: &Value| manifest["version"] == version).unwrap()
}

fn patch_blobs(shop: &Shop, version: &str) -> Vec<String> {
    let manifest = manifest(shop, version);
    let patches = manifest["patches"].as_array().unwrap().iter();
    patches
        .map(|patch| format!("updates/blobs/{}", patch["blob"]["sha256"].as_str().unwrap()))
        .collect()
}

#[test]
fn one_changed_line_travels_as_a_patch_open_and_sealed() {
    for (shop, most) in [(Shop::new(), 400), (sealed(), 1100)] {
        release(&shop, 1);
        let server = shop.serve();
        let device = phone(&shop, &server, "phone");
        device.update();
        let said = release(&shop, 2);
        assert!(said["patches"][0].as_u64().unwrap() < most, "{said}");
        let check = device.does("check");
        assert_eq!(check["bytes"], said["patches"][0], "{check}");
        let sync = device.does("sync");
        assert_eq!((&sync["via"], sync.get("fallback")), (&"patch".into(), None));
        assert_shows(&device, &device.boot_ready(), "web-2");
        assert!(server.requests().iter().filter(|line| line.contains("/blobs/")).count() <= 4);
    }
}

#[test]
fn patches_lead_from_any_of_the_last_releases_and_from_the_built_in_one() {
    let shop = Shop::new();
    release(&shop, 0);
    shop.ok(&["embed", "web-0"]);
    let server = shop.serve();
    for version in 1..4 {
        release(&shop, version);
        phone(&shop, &server, &format!("at-{version}")).update();
    }
    let said = shop.ok(&["release", "web-3", "--channel", "production", "--version", "9.0.0"]);
    assert_eq!(said["patches"].as_array().unwrap().len(), 3, "not from itself: {said}");
    web(&shop, "web-4", 4);
    let args = ["release", "web-4", "--channel", "production", "--version", "1.4.0"];
    let said = shop.ok(&[&args[..], &["--patches", "2"]].concat());
    assert_eq!(
        said["patches"].as_array().unwrap().len(),
        2,
        "3 (twice) and the built-in one: {said}"
    );
    web(&shop, "web-5", 5);
    shop.ok(&["release", "web-5", "--channel", "production", "--version", "1.5.0"]);

    for version in 1..4 {
        let device = phone(&shop, &server, &format!("at-{version}"));
        assert_eq!(device.does("sync")["via"], "patch");
        assert_shows(&device, &device.boot_ready(), "web-5");
    }
    let mut fresh = phone(&shop, &server, "fresh");
    fresh.more = ["--builtin", "web-0"].map(str::to_owned).to_vec();
    assert_eq!(fresh.does("sync")["via"], "patch");
    assert_shows(&fresh, &fresh.boot_ready(), "web-5");
}

#[test]
fn patches_lead_from_as_many_built_in_ones_as_were_asked_for_the_newest_first() {
    let shop = Shop::new();
    for version in 0..2 {
        release(&shop, version);
        shop.ok(&["embed", &format!("web-{version}")]);
    }
    for version in 2..4 {
        release(&shop, version);
    }
    // It is as old as can be, and need not even be there.
    let packs = files(&shop.path("updates/blobs"));
    let oldest = manifest(&shop, "1.0.0")["pack"]["sha256"].as_str().unwrap().to_owned();
    assert!(packs.contains_key(Path::new(&oldest)));
    fs::remove_file(shop.path("updates/blobs").join(oldest)).unwrap();

    web(&shop, "web-4", 4);
    let args = ["release", "web-4", "--channel", "production", "--version", "1.4.0"];
    let dry = |count| shop.run(&[&args[..], &["--dry-run", "--patches", count]].concat());
    let said = String::from_utf8(dry("0").stdout).unwrap();
    assert!(said.contains("Released 1.4.0") && !said.contains("patch"), "none at all: {said}");
    let said = String::from_utf8(dry("1").stdout).unwrap();
    assert!(said.contains("2 patches") && !said.contains("no patch from"), "{said}");

    shop.ok(&[&args[..], &["--patches", "1"]].concat());
    let patches = manifest(&shop, "1.4.0")["patches"].as_array().unwrap().clone();
    let from = |version: &str| manifest(&shop, version)["bundle"]["identity"].clone();
    let bases: Vec<Value> = patches.iter().map(|patch| patch["base"].clone()).collect();
    assert_eq!(bases, [from("1.3.0"), from("1.1.0")]);
}

#[test]
fn a_patch_leads_away_from_what_may_not_run_any_more() {
    let shop = Shop::new();
    release(&shop, 1);
    shop.ok(&["embed", "web-1"]);
    release(&shop, 2);
    let server = shop.serve();
    let device = phone(&shop, &server, "phone");
    device.update();
    shop.ok(&["revoke", "1.2.0", "--channel", "production"]);
    release(&shop, 3);
    shop.ok(&["floor", "1.3.0", "--channel", "production"]);
    assert_eq!(device.does("sync")["via"], "patch", "from what was revoked");
    let mut fresh = phone(&shop, &server, "fresh");
    fresh.more = ["--builtin", "web-1"].map(str::to_owned).to_vec();
    assert_eq!(fresh.does("sync")["via"], "patch", "from what lies below the floor");
}

#[test]
fn a_patch_that_was_cut_off_goes_on_where_it_was() {
    let shop = Shop::new();
    release(&shop, 1);
    let server = shop.serve();
    let device = phone(&shop, &server, "phone");
    device.update();
    release(&shop, 2);
    let blob = patch_blobs(&shop, "1.2.0").remove(0);
    let whole = fs::read(shop.path(&blob)).unwrap();
    let name = blob.rsplit('/').next().unwrap();
    let kept = shop.path(&format!("phone/downloads/{name}"));
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("whole"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(device.does("check")["bytes"], whole.len() - whole.len() / 2);
    let sync = device.does("sync");
    assert_eq!(sync["via"], "patch");
    assert!(!kept.exists(), "nothing is left behind");
    // What was kept and is wrong is fetched anew.
    let other = phone(&shop, &server, "other");
    shop.ok(&["rollback", "production"]);
    other.update();
    shop.ok(&["rollback", "production", "--to", "1.2.0"]);
    let kept = shop.path(&format!("other/downloads/{name}"));
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("whole"), [7; 20]).unwrap();
    assert_eq!(other.does("sync")["via"], "patch");
    assert_shows(&other, &other.boot_ready(), "web-2");
}

#[test]
fn a_patch_that_is_missing_or_wrong_makes_way_for_ranges() {
    for shop in [Shop::new(), sealed()] {
        release(&shop, 1);
        release(&shop, 2);
        let blob = shop.path(&patch_blobs(&shop, "1.2.0")[0]);
        let good = fs::read(&blob).unwrap();
        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let longer = [&good[..], b"more"].concat();
        let bad = [Some(flipped), Some(good[..middle].to_vec()), Some(longer), None];
        let cut = 1;
        for (at, bad) in bad.into_iter().enumerate() {
            shop.ok(&["rollback", "production"]);
            let server = shop.serve();
            let device = phone(&shop, &server, &format!("phone-{at}"));
            device.update();
            shop.ok(&["rollback", "production", "--to", "1.2.0"]);
            match bad {
                Some(bytes) => fs::write(&blob, bytes).unwrap(),
                None => fs::remove_file(&blob).unwrap(),
            }
            if at == cut {
                // A file that ends too early looks like a connection that breaks, once.
                assert_eq!(device.fails("sync").0, "network");
            }
            let sync = device.does("sync");
            assert_eq!(sync["via"], "ranges", "{at}: {sync}");
            let code = sync["fallback"].as_str().unwrap();
            assert!(["hash-mismatch", "http-status", "too-large"].contains(&code), "{at}: {sync}");
            assert_shows(&device, &device.boot_ready(), "web-2");
        }
    }
}

#[test]
fn a_base_file_that_is_damaged_on_the_phone_costs_what_it_would_have_made() {
    let shop = Shop::new();
    release(&shop, 1);
    let server = shop.serve();
    let device = phone(&shop, &server, "phone");
    let boot = device.update();
    release(&shop, 2);
    let script = shop.path(boot["path"].as_str().unwrap()).join("assets/app-00000001.js");
    let mut bytes = fs::read(&script).unwrap();
    bytes[100] ^= 1;
    fs::write(&script, bytes).unwrap();
    let sync = device.does("sync");
    assert_eq!((&sync["via"], &sync["fallback"]), (&"ranges".into(), &"hash-mismatch".into()));
    let boot = device.boot_ready();
    assert_shows(&device, &boot, "web-2");
    let bundle = shop.path(boot["path"].as_str().unwrap());
    assert!(!bundle.with_file_name("aside").exists(), "nothing is left behind");
}

#[test]
fn a_patch_that_would_not_pay_is_left_out() {
    let shop = Shop::new();
    shop.release("1.0.0", 1);
    // Everything in it is new, and most of it noise.
    let said = shop.release("1.1.0", 2);
    assert_eq!(said["patches"].as_array().unwrap().len(), 0, "{said}");
}

#[test]
fn a_promoted_release_has_patches_from_what_phones_of_that_channel_have() {
    let shop = Shop::empty();
    shop.ok(&[
        "init",
        "--app",
        support::APP,
        "--no-passphrase",
        "--channel",
        "production",
        "--channel",
        "beta",
    ]);
    release(&shop, 1);
    let server = shop.serve();
    let device = phone(&shop, &server, "phone");
    device.update();
    web(&shop, "web-2", 2);
    shop.ok(&["release", "web-2", "--channel", "beta", "--version", "1.2.0"]);
    let said = shop.ok(&["promote", "1.2.0", "--from", "beta", "--to", "production"]);
    assert_eq!(said["patches"].as_array().unwrap().len(), 1, "{said}");
    assert_eq!(device.does("sync")["via"], "patch");
    assert_shows(&device, &device.boot_ready(), "web-2");
}

#[test]
fn prune_keeps_patches_that_are_named_and_removes_the_others() {
    let shop = Shop::new();
    for version in 1..4 {
        release(&shop, version);
    }
    shop.ok(&["prune", "--keep-days", "0"]);
    let newest = patch_blobs(&shop, "1.3.0");
    assert!(!newest.is_empty() && newest.iter().all(|blob| shop.path(blob).exists()));
    let config = fs::read_to_string(shop.path("farad.toml")).unwrap();
    fs::write(shop.path("farad.toml"), config.replace("keep = 10", "keep = 2")).unwrap();
    let gone = patch_blobs(&shop, "1.2.0");
    release(&shop, 4);
    release(&shop, 5);
    shop.ok(&["prune", "--keep-days", "0"]);
    assert!(gone.iter().all(|blob| !shop.path(blob).exists()));
    shop.ok(&["verify", "updates"]);
}

#[test]
fn an_old_version_without_a_patch_is_told_what_its_ranges_cost() {
    let shop = Shop::new();
    release(&shop, 1);
    let server = shop.serve();
    let device = phone(&shop, &server, "phone");
    device.update();
    web(&shop, "web-2", 2);
    let args = ["release", "web-2", "--channel", "production", "--version", "1.2.0"];
    shop.ok(&[&args[..], &["--patches", "0"]].concat());
    let check = device.does("check");
    let before = server.requests().len();
    let sync = device.does("sync");
    assert_eq!(sync["via"], "ranges");
    let asked = server.requests().split_off(before);
    let mut blobs: Vec<_> = asked.iter().filter(|line| line.contains("/blobs/")).collect();
    blobs.dedup();
    assert_eq!(blobs.len(), 1, "index and layout were fetched to tell: {asked:?}");
    let (told, moved) = (check["bytes"].as_u64().unwrap(), sync["bytes"].as_u64().unwrap());
    assert!(told > 1000 && told <= moved && moved < told + 2000, "{told} told, {moved} moved");
    assert_shows(&device, &device.boot_ready(), "web-2");
}
