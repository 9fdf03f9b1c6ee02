//! What phones live through.

use crate::phone::Step::{
    self, Apply, Boot, Build, Damage, EarlyCrash, Fail, Follow, Hold, Ready, Recheck, Reset, Send,
    Serve, Sync,
};
use crate::world::{
    BARE, BUILTIN, FLOOR, REVOKED, ROLLED_BACK, SECOND, THIRD, WITH_FIRST, WITH_THIRD,
};

/// A name, and what happens.
pub type Journey = (&'static str, &'static [Step]);

/// The first journey of every phone.
pub const FIRST_INSTALL: Journey = ("first install", &[Boot, Sync, Boot, Ready, Boot]);

/// Journeys of a phone that runs the first release.
pub const JOURNEYS: [Journey; 17] = [
    ("install, try, confirm", &[Serve(SECOND), Sync, Boot, Ready, Boot]),
    ("a trial that never comes up", &[Serve(SECOND), Sync, Boot, Boot, Boot, Sync]),
    ("a trial that fails twice", &[Serve(SECOND), Sync, Boot, Fail, Boot, Fail, Boot]),
    (
        "two updates",
        &[Serve(SECOND), Sync, Boot, Ready, Serve(THIRD), Boot, Sync, Boot, Ready, Sync],
    ),
    (
        "an update while another is on trial",
        &[Serve(SECOND), Sync, Boot, Serve(THIRD), Sync, Boot, Ready, Sync],
    ),
    (
        "an update and its rollback",
        &[Serve(SECOND), Sync, Boot, Ready, Serve(ROLLED_BACK), Sync, Boot, Ready],
    ),
    (
        "a revocation of what runs",
        &[Serve(SECOND), Sync, Boot, Ready, Serve(REVOKED), Sync, Boot, Ready, Boot],
    ),
    ("a revocation of a trial", &[Serve(SECOND), Sync, Boot, Serve(REVOKED), Sync, Boot]),
    (
        "a store update with less, and back",
        &[
            Serve(SECOND),
            Sync,
            Boot,
            Ready,
            Build(WITH_FIRST),
            Boot,
            Boot,
            Ready,
            Build(BARE),
            Boot,
            Sync,
            Boot,
            Ready,
        ],
    ),
    ("a store update with more", &[Build(WITH_THIRD), Serve(THIRD), Boot, Sync, Boot]),
    (
        "another channel and back",
        &[Follow(Some("beta")), Sync, Boot, Ready, Follow(None), Sync, Boot, Ready],
    ),
    ("the built-in bundle offered", &[Serve(BUILTIN), Sync, Boot, Sync]),
    ("a reset and a sync", &[Reset, Boot, Sync, Boot, Ready]),
    ("an update that is held", &[Hold, Serve(SECOND), Sync, Boot, Apply, Boot, Ready]),
    ("a floor", &[Serve(FLOOR), Sync, Boot, Ready]),
    ("damage that is found and repaired", &[Damage, Recheck, Boot, Sync, Boot]),
    (
        "a bundle that crashes early",
        &[Boot, EarlyCrash, Boot, EarlyCrash, Boot, EarlyCrash, Boot, Sync, Boot],
    ),
];

/// Journeys of a phone whose app wants events.
pub const TELLING: [Journey; 2] = [
    (
        "an update that is told of",
        &[Send, Serve(SECOND), Sync, Send, Boot, Ready, Send, Serve(THIRD), Sync, Boot, Send],
    ),
    (
        "an update that is given up, and told of at last",
        &[Serve(SECOND), Sync, Boot, Boot, Boot, Sync, EarlyCrash, Send],
    ),
];
