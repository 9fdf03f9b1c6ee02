//! Which channel is followed: the configured one, or an allowed one that was chosen since.
//!
//! Enters: what the app's build allows, and a choice that a page may make. Leaves: the channel.
//! Refuses: a channel that the build does not allow, and a kept choice that it no longer does.

use super::Updater;
use crate::boot::Event;
use crate::error::{Error, Result};
use crate::id::Channel;
use crate::store::disk::{read_small, replace};

/// The file that holds the choice. No part of the record: losing that must not change channels.
const FILE: &str = "channel";

impl Updater {
    /// The channel that is followed. Reads one small file.
    ///
    /// # Errors
    /// Storage errors.
    pub fn channel(&self) -> Result<Channel> {
        let kept = read_small(&**self.store.disk(), FILE, 64);
        let kept = kept.map_err(|error| Error::storage("reading the channel", error))?;
        let kept = kept.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok());
        let chosen = kept.filter(|channel| self.config.allowed_channels.contains(channel));
        Ok(chosen.unwrap_or_else(|| self.config.channel.clone()))
    }

    /// Follows `channel` from now on; nothing goes back to the configured one. What waits or is on
    /// trial from the old channel is let go; what is confirmed runs until a sync finds an offer.
    ///
    /// # Errors
    /// [`Error::Config`] where the app's build does not allow the channel; [`Error::Busy`]; storage
    /// errors.
    pub fn set_channel(&self, channel: Option<&Channel>) -> Result<()> {
        // A sync that is under way would stage what the old channel offers.
        let _sync = self.store.begin_sync()?;
        let disk = &**self.store.disk();
        let storing = |error| Error::storage("keeping the channel", error);
        match channel.filter(|channel| **channel != self.config.channel) {
            Some(channel) if self.config.allowed_channels.contains(channel) => {
                replace(disk, "", FILE, channel.as_str().as_bytes()).map_err(storing)?;
            }
            Some(channel) => {
                return Err(Error::Config(format!("channel {channel} is not an allowed one")));
            }
            None => {
                disk.remove_file(FILE).and_then(|()| disk.sync_folder("")).map_err(storing)?;
            }
        }
        self.tell(&Event::Policy)?;
        Ok(())
    }
}
