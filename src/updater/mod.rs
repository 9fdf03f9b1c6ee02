//! Conductor.
mod keep;
mod policies;
