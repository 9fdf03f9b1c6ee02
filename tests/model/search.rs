//! Breadth first through all states, so that the way to a broken one is a shortest one.

use std::collections::HashMap;

use crate::designs::Design;
use crate::moves::{Moves, settles};
use crate::state::{Process, Setting, State};

/// What a search found.
pub struct Found {
    pub states: usize,
    pub moves: usize,
    /// Most starts from any state to what is offered.
    pub starts: u8,
    /// The invariant that broke, and the moves that lead there.
    pub broken: Option<String>,
}

/// Searches everything that can be reached, or up to the first broken invariant.
pub fn search(design: &dyn Design, setting: &Setting) -> Found {
    let first = State::first(setting);
    let mut seen: HashMap<State, usize> = HashMap::from([(first, 0)]);
    // Each state with the one before it and the move between them.
    let mut states = vec![(first, 0_usize, "")];
    let (mut at, mut count, mut starts) = (0, 0, 0);
    let mut moves = Moves { design, setting, after: Vec::new() };
    while at < states.len() {
        let state = states[at].0;
        if state.processes == [Process::None; 2] {
            for target in (0..=2).filter(|target| moves.may_take(&state, *target)) {
                match settles(design, setting, &state, target) {
                    Ok(took) => starts = starts.max(took),
                    Err(broken) => {
                        let broken = Some(trace(&states, at, &format!("{broken} ({target})")));
                        return Found { states: states.len(), moves: count, starts, broken };
                    }
                }
            }
        }
        moves.after.clear();
        moves.all(&state);
        for (name, after) in moves.after.drain(..) {
            count += 1;
            match after {
                Ok(after) => {
                    seen.entry(after).or_insert_with(|| {
                        states.push((after, at, name));
                        states.len() - 1
                    });
                }
                Err(broken) => {
                    let broken = format!("{broken}\n  {name}");
                    let broken = Some(trace(&states, at, &broken));
                    return Found { states: states.len(), moves: count, starts, broken };
                }
            }
        }
        at += 1;
    }
    Found { states: states.len(), moves: count, starts, broken: None }
}

/// What broke, and how it came to that, last move first.
fn trace(states: &[(State, usize, &'static str)], mut at: usize, broken: &str) -> String {
    let mut text = broken.to_owned();
    while at > 0 {
        let (state, before, name) = &states[at];
        text += &format!("\n  {name} -> {state:?}");
        at = *before;
    }
    text
}
