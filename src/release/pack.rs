//! Making packs.
