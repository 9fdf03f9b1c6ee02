//! More than one channel on one phone, and channels that come and go.

use std::fs;

use farad::boot::Which;
use farad::json;
use farad::updater::Status;
use serde_json::json;

use crate::forge::{APP, DAY, Forge, NOW, key_id, offer, time};
use crate::phone::Phone;
use crate::site::{Answer, Site};

#[test]
fn a_change_of_channels_brings_the_other_floor_and_no_other_channels_releases() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let mut phone = Phone::running(&forge, &site);
    let beta = "beta".parse().unwrap();
    let stranger = "nightly".parse().unwrap();
    assert!(phone.updater().set_channel(Some(&beta)).is_err(), "the build does not allow it");
    phone.config.allowed_channels = vec![beta];
    let beta = &phone.config.allowed_channels[0].clone();
    assert!(phone.updater().set_channel(Some(&stranger)).is_err());

    // Production's floor of 5 says nothing of beta's release 1, nor the other way round.
    forge.policy("production", 5, &[]);
    forge.rollout("production", &[]);
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    phone.updater().set_channel(Some(beta)).unwrap();
    assert_eq!(phone.updater().channel().unwrap(), *beta);
    assert_eq!(phone.status(), Status::Staged);
    assert_eq!(phone.shows(), "1.0.0-beta");
    assert_eq!(phone.updater().state().unwrap().record.previous, None, "no way back across");

    // Beta's revocation reaches the phone though it follows production again.
    phone.updater().set_channel(None).unwrap();
    forge.policy("beta", 0, &[1]);
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    assert_ne!(phone.shows(), "1.0.0-beta");

    // A build that no longer allows the channel follows its own.
    phone.updater().set_channel(Some(beta)).unwrap();
    phone.config.allowed_channels.clear();
    assert_eq!(phone.updater().channel().unwrap().as_str(), "production");
}

#[test]
fn what_waits_from_the_old_channel_is_let_go() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let mut phone = Phone::running(&forge, &site);
    phone.config.allowed_channels = vec!["beta".parse().unwrap()];
    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::Staged);
    phone.updater().set_channel(Some(&"beta".parse().unwrap())).unwrap();
    assert_eq!(phone.shows(), "1.0.0", "production's update does not come any more");
    assert_eq!(phone.status(), Status::Staged);
    assert_eq!(phone.shows(), "1.0.0-beta");
}

#[test]
fn a_channel_that_is_removed_and_added_again() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let before = forge.role("targets")["delegations"]["roles"].clone();
    let keep =
        |role: &&serde_json::Value| !role["name"].as_str().unwrap().starts_with("production");
    let fewer: Vec<_> = before.as_array().unwrap().iter().filter(keep).cloned().collect();
    // Its delegations go; its files stay listed in snapshot, which may drop nothing.
    forge.role("targets")["delegations"]["roles"] = json!(fewer);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.refused(), "config-invalid", "the repository has no such channel");
    assert_eq!(phone.shows(), "1.0.0");
    // Again, with new keys; version and sequence go on.
    let mut roles = before;
    roles[0]["keyids"] = json!([key_id("new-owner")]);
    roles[0]["threshold"] = json!(1);
    forge.role("targets")["delegations"]["keys"][key_id("new-owner")] =
        crate::forge::public("new-owner");
    forge.role("targets")["delegations"]["roles"] = roles;
    forge.signers.insert("production-releases".to_owned(), vec!["new-owner"]);
    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.1.0");
}

#[cfg(unix)]
#[test]
fn a_policy_of_another_channel_that_cannot_be_read_allows_nothing() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let mut phone = Phone::running(&forge, &site);
    phone.config.allowed_channels = vec!["beta".parse().unwrap()];
    phone.updater().set_channel(Some(&"beta".parse().unwrap())).unwrap();
    // Production revoked what the phone still runs, and the phone heard of it.
    forge.policy("production", 0, &[1]);
    forge.rollout("beta", &[]);
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    // As on a phone that is locked: it is there, and not to be had. Here a link leads to itself.
    let file = phone.storage().join("policies/production");
    let policy = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&file, &file).unwrap();
    assert_eq!(phone.boot().version, None);
    assert_eq!(phone.updater().state().unwrap_err().code(), "storage");
    assert_eq!(phone.sync().unwrap_err().code(), "storage");
    // Nothing was decided meanwhile.
    fs::remove_file(&file).unwrap();
    fs::write(&file, policy).unwrap();
    assert_eq!(phone.shows(), "builtin");
}

/// A phone that left production for beta, where nothing is offered, and runs production's release.
fn moved_to_beta(forge: &mut Forge) -> (Site, Phone) {
    let site = Site::new(forge);
    let mut phone = Phone::running(forge, &site);
    phone.config.allowed_channels = vec!["beta".parse().unwrap()];
    phone.updater().set_channel(Some(&"beta".parse().unwrap())).unwrap();
    forge.rollout("beta", &[]);
    forge.publish();
    site.serve(forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.0.0");
    (site, phone)
}

#[test]
fn a_policy_that_is_kept_from_a_phone_is_missed_whichever_channel_it_is_of() {
    let mut forge = Forge::new();
    let (site, phone) = moved_to_beta(&mut forge);
    // Production revokes what the phone runs; the host would rather it did not hear of it.
    forge.policy("production", 0, &[1]);
    let listed = &forge.roles["production-releases"]["targets"]["production/policy.json"];
    let digest = listed["hashes"]["sha256"].as_str().unwrap().to_owned();
    let policy = format!("targets/production/{digest}.policy.json");
    let mut changed = forge.files[&policy].clone();
    changed[9] ^= 1;
    let longer = [&changed[..], b" "].concat();
    let instead = [
        (Some(&policy), None, "missing"),
        (Some(&policy), Some(Answer::File(changed)), "hash-mismatch"),
        (Some(&policy), Some(Answer::Whole(longer)), "too-large"),
        (Some(&policy), Some(Answer::Nothing), "network"),
        // The role's own file.
        (None, None, "missing"),
    ];
    for (floor, (path, answer, code)) in (1..).zip(instead) {
        forge.policy("beta", floor, &[]);
        forge.publish();
        site.serve(&forge);
        let version = &forge.roles["production-releases"]["version"];
        let role = format!("metadata/{version}.production-releases.json");
        let path = path.unwrap_or(&role);
        match answer {
            Some(answer) => site.answer(path, answer),
            None => site.remove(path),
        }
        assert_eq!(phone.sync().unwrap_err().code(), code, "{floor}");
        // The followed channel's own acts all the same.
        let beta = fs::read_to_string(phone.storage().join("policies/beta")).unwrap();
        assert!(beta.contains(&format!("\"floor\":{floor}")), "{beta}");
        assert_eq!(phone.shows(), "1.0.0");
    }
    // Another mirror has it.
    let (honest, mut phone) = (Site::new(&forge), phone);
    phone.mirrors = vec![honest.url()];
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "builtin");
}

#[test]
fn a_channel_that_was_left_and_is_given_up_by_its_signers_stops_nobody() {
    let mut forge = Forge::new();
    let (site, phone) = moved_to_beta(&mut forge);
    forge.role("production-releases")["expires"] = json!(time(NOW - DAY));
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    forge.role("production-releases")["expires"] = json!(time(NOW + DAY));
    forge.put("production-releases", "production/policy.json", b"no policy");
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    let roles = forge.role("targets")["delegations"]["roles"].as_array_mut().unwrap();
    roles.retain(|role| !role["name"].as_str().unwrap().starts_with("production"));
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.0.0");
}

#[test]
fn a_rollout_or_policy_that_announces_another_shape_is_unsupported_and_what_it_forbids_is_forbidden()
 {
    let later = |what: serde_json::Value| {
        let mut document =
            json!({ "schema": 1, "app": APP, "channel": "production", "requires": ["later"] });
        document.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        json::compact(&document).unwrap()
    };
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let rollout = later(json!({ "offers": { "first": "somehow" }, "paused": "until Monday" }));
    forge.put("production-rollout", "production/rollout.json", &rollout);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::Unsupported);
    assert_eq!(phone.shows(), "1.0.0");

    let second = forge.release("production", 2, "1.1.0");
    forge.rollout("production", &[second.offer()]);
    let policy = later(json!({ "floor": 2, "revoked": [1], "builtins": { "4": "somehow" } }));
    forge.put("production-releases", "production/policy.json", &policy);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::Unsupported);
    assert_eq!(phone.shows(), "builtin", "revoked all the same, and nothing new is taken");
}

#[test]
fn a_mirror_from_before_the_channel_existed_is_no_reason_to_give_up() {
    let mut forge = Forge::new();
    let delegations = forge.role("targets")["delegations"].clone();
    let roles = forge.role("targets")["delegations"]["roles"].as_array_mut().unwrap();
    roles.retain(|role| !role["name"].as_str().unwrap().starts_with("beta"));
    forge.publish();
    let stale = Site::new(&forge);
    let mut phone = Phone::new(&forge, &stale);
    phone.config.channel = "beta".parse().unwrap();
    assert_eq!(phone.refused(), "config-invalid");
    forge.role("targets")["delegations"] = delegations;
    forge.publish();
    let fresh = Site::new(&forge);
    phone.mirrors = vec![fresh.url()];
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.0.0-beta");
}

#[test]
fn a_built_in_bundle_that_its_own_channel_revokes_is_not_allowed_in_another_one() {
    let mut forge = Forge::new();
    let fourth = forge.release("production", 4, "1.4.0");
    forge.rollout("production", &[fourth.offer()]);
    forge.publish();
    let site = Site::new(&forge);
    let embed = forge.embed(fourth, "1.4.0");
    let mut phone = Phone::new(&forge, &site).with_builtin(&embed);
    phone.config.allowed_channels = vec!["beta".parse().unwrap()];
    phone.updater().set_channel(Some(&"beta".parse().unwrap())).unwrap();
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.0.0-beta");
    phone.updater().reset().unwrap();
    assert_eq!(phone.shows(), "builtin");
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.0.0-beta");
    site.asked();
    phone.sync().unwrap();
    assert_eq!(
        site.asked().len(),
        1,
        "the timestamp alone, while nothing is new in either channel"
    );

    // Nothing of production is on the phone but what the app brought along.
    forge.policy("production", 0, &[4]);
    forge.rollout("beta", &[offer(&json!("builtin"))]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.status(), Status::NotOffered, "nor may beta offer it");
    assert_eq!(phone.updater().reset().unwrap_err().code(), "not-allowed");
    assert_eq!(phone.shows(), "1.0.0-beta");
    // The last resort needs nobody's leave: what runs is revoked, too.
    forge.policy("beta", 0, &[1]);
    forge.publish();
    site.serve(&forge);
    phone.sync().unwrap();
    let launched = phone.boot();
    assert_eq!((launched.which, launched.below_floor), (Which::Builtin, true));
}
