//! The publisher's side of Farad: keys, repository, releases, rollouts, verification.
//!
//! Enters: web folders, and words of a release manager. Leaves: a repository of signed static
//! files, and only ever whole steps of it: whatever fails, no file that a phone can reach has
//! changed. The binary `farad` is a thin shell around [`cli`].

mod change;
mod checkpoint;
#[cfg(feature = "checkpoints")]
mod checkpoints;
pub mod cli;
mod clock;
mod commands;
mod commit;
mod content;
mod edit;
mod eventlog;
mod failure;
mod foreign;
mod grants;
mod keys;
mod making;
mod opening;
mod passphrase;
mod patches;
mod pending;
mod places;
mod plain;
mod project;
mod repository;
mod review;
mod roles;
mod screen;
pub mod serve;
mod superseded;
mod temporary;
mod webfolder;

pub use failure::Failure;
