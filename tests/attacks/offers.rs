//! What the holder of a rollout key may and may not choose, and what policy forbids.

use farad::boot::Which;
use farad::updater::Status;
use serde_json::{Value, json};

use crate::forge::{DAY, Forge, NOW, Release, offer};
use crate::phone::Phone;
use crate::site::Site;

/// Three releases of production; the second is offered and runs.
fn three() -> (Forge, [Release; 3], Site, Phone) {
    let mut forge = Forge::new();
    let releases =
        [2, 3, 4].map(|sequence| forge.release("production", sequence, &format!("1.{sequence}.0")));
    forge.rollout("production", &[releases[1].offer()]);
    forge.publish();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    (forge, releases, site, phone)
}

fn offers(forge: &mut Forge, site: &Site, offers: &[Value]) {
    forge.rollout("production", offers);
    forge.publish();
    site.serve(forge);
}

#[test]
fn attack_26_offers_of_what_may_not_run() {
    let (mut forge, releases, site, phone) = three();
    forge.policy("production", 3, &[4]);
    let listed = forge.release("beta", 2, "2.0.0-beta");
    let unsigned = forge.manifest("production", 9, "evil", |_| {});
    let unsigned = farad::digest::Digest::of(&unsigned);
    let named =
        |sequence: u64, manifest| offer(&json!({ "sequence": sequence, "manifest": manifest }));
    for (what, bad) in [
        ("below the floor", releases[0].offer()),
        ("revoked", releases[2].offer()),
        ("signed by nobody", named(9, unsigned)),
        ("another's number", named(3, unsigned)),
        ("another channel's", listed.offer()),
        ("the built-in below the floor", offer(&json!("builtin"))),
    ] {
        offers(&mut forge, &site, &[bad]);
        assert_eq!(phone.status(), Status::NotOffered, "{what}");
        assert_eq!(phone.shows(), "1.3.0", "{what}");
    }
}

#[test]
fn attack_27_offers_that_flap() {
    let (mut forge, releases, site, phone) = three();
    for turn in 0..6 {
        let release = releases[turn % 3];
        offers(&mut forge, &site, &[release.offer()]);
        phone.sync().unwrap();
        assert_eq!(phone.shows(), format!("1.{}.0", release.sequence), "signed, so allowed");
    }
}

#[test]
fn attack_29_an_offer_for_another_native_app() {
    let (mut forge, _, site, phone) = three();
    for native in [
        json!({ "android": { "min": 31 } }),
        json!({ "android": { "max": 29 } }),
        json!({ "android": { "min": 1, "max": 2 } }),
    ] {
        let release = forge.release_with("production", 5, "1.5.0", |manifest| {
            manifest["native"] = native.clone();
        });
        offers(&mut forge, &site, &[release.offer()]);
        assert_eq!(phone.status(), Status::Incompatible, "{native}");
        assert_eq!(phone.shows(), "1.3.0");
    }
}

#[test]
fn the_built_in_below_the_floor_runs_only_when_nothing_else_is_left() {
    let (mut forge, releases, site, _) = three();
    let embed = forge.embed(releases[0], "1.2.0");
    let phone = Phone::new(&forge, &site).with_builtin(&embed);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.3.0");
    forge.policy("production", 3, &[]);
    offers(&mut forge, &site, &[offer(&json!("builtin"))]);
    assert_eq!(phone.status(), Status::NotOffered);
    let asked = phone.updater().reset().unwrap_err();
    assert_eq!(asked.code(), "not-allowed", "not even when the page asks");
    // What runs is revoked and nothing above the floor is there: the phone must start all the same.
    forge.policy("production", 3, &[3]);
    offers(&mut forge, &site, &[]);
    phone.sync().unwrap();
    let launched = phone.boot();
    assert_eq!((launched.which, launched.below_floor), (Which::Builtin, true));
}

#[test]
fn a_revocation_reaches_what_is_next_on_trial_previous_and_confirmed() {
    let revoke = |forge: &mut Forge, site: &Site, sequences: &[u64]| {
        forge.policy("production", 0, sequences);
        forge.publish();
        site.serve(forge);
    };
    // Next: staged, not started yet.
    let (mut forge, releases, site, phone) = three();
    offers(&mut forge, &site, &[releases[2].offer()]);
    assert_eq!(phone.status(), Status::Staged);
    revoke(&mut forge, &site, &[4]);
    assert_eq!(phone.status(), Status::NotOffered);
    assert_eq!(phone.shows(), "1.3.0");

    // Trial: started, has not said that it is ready.
    let (mut forge, releases, site, phone) = three();
    offers(&mut forge, &site, &[releases[2].offer()]);
    phone.sync().unwrap();
    let launched = phone.boot();
    let token = launched.token.unwrap();
    assert_eq!(launched.version.as_deref(), Some("1.4.0"));
    revoke(&mut forge, &site, &[4]);
    phone.sync().unwrap();
    assert!(phone.updater().ready(&token).is_err(), "too late to vouch for it");
    assert_eq!(phone.shows(), "1.3.0");

    // Previous: the fallback of what runs.
    let (mut forge, releases, site, phone) = three();
    offers(&mut forge, &site, &[releases[2].offer()]);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.4.0");
    assert!(phone.updater().state().unwrap().record.previous.is_some());
    revoke(&mut forge, &site, &[3]);
    phone.sync().unwrap();
    assert_eq!(phone.updater().state().unwrap().record.previous, None);

    // Confirmed: replaced at the next start, by the fallback that is left.
    let (mut forge, releases, site, phone) = three();
    offers(&mut forge, &site, &[releases[2].offer()]);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.4.0");
    revoke(&mut forge, &site, &[4]);
    phone.sync().unwrap();
    assert_eq!(phone.shows(), "1.3.0");
    // Paused or not, online or not, it stays away.
    phone.set_clock(NOW + 400 * DAY);
    assert_eq!(phone.shows(), "1.3.0");
}
