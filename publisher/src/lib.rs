//! The publisher's side of Farad: keys, repository, releases, rollouts, verification.
//!
//! Enters: web folders, and words of a release manager. Leaves: a repository of signed static
//! files, and only ever whole steps of it: whatever fails, no file that a phone can reach has
//! changed. The binary `farad` is a thin shell around [`cli`].

pub mod cli;
mod clock;
mod commands;
mod edit;
mod failure;
mod keys;
mod opening;
mod passphrase;
mod project;
mod repository;
mod roles;
pub mod serve;
mod webfolder;

pub use failure::Failure;
