//! Breadth first through all states, so that the way to a broken one is a shortest one.
//!
//! There may be tens of millions of them, so each is kept as one number, and only where it came from
//! besides: what a move was called is found again where it is asked for. All processors look for
//! moves, a block of states at a time; what they found is taken in the order of the states, so every
//! search goes the same way.

use std::collections::HashSet;
use std::thread;

use crate::designs::Design;
use crate::moves::{Moves, settles};
use crate::state::{Process, Setting, State};

/// States that are looked at before what was found is taken in: what lies between is in memory.
const BLOCK: usize = 1 << 16;

/// What a search found.
pub struct Found {
    pub states: usize,
    pub moves: usize,
    /// Most starts from any state to what is offered.
    pub starts: u8,
    /// The invariant that broke, and the moves that lead there.
    pub broken: Option<String>,
}

/// What one thread found from its part of a block.
#[derive(Default)]
struct Part {
    /// States that were not known before the block, each with the place of the one before it.
    found: Vec<(usize, u128)>,
    moves: usize,
    starts: u8,
    /// Where an invariant broke, which, and by what move.
    broken: Option<(usize, String)>,
}

/// Searches everything that can be reached, or up to the first broken invariant.
pub fn search(design: &dyn Design, setting: &Setting) -> Found {
    let first = State::first(setting).packed();
    let mut seen = HashSet::from([first]);
    let (mut states, mut before) = (vec![first], vec![0_u32]);
    let (mut at, mut moves, mut starts) = (0, 0, 0);
    while at < states.len() {
        let block = at..states.len().min(at + BLOCK);
        at = block.end;
        for part in look(design, setting, &seen, &states, block) {
            moves += part.moves;
            starts = starts.max(part.starts);
            if let Some((place, broken)) = part.broken {
                let broken = Some(trace(design, setting, &states, &before, place, broken));
                return Found { states: states.len(), moves, starts, broken };
            }
            for (place, after) in part.found {
                if seen.insert(after) {
                    states.push(after);
                    before.push(u32::try_from(place).unwrap());
                }
            }
        }
    }
    Found { states: states.len(), moves, starts, broken: None }
}

/// What can be reached from a block of states by one move, in their order.
fn look(
    design: &dyn Design,
    setting: &Setting,
    seen: &HashSet<u128>,
    states: &[u128],
    block: std::ops::Range<usize>,
) -> Vec<Part> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = block.len().div_ceil(threads);
    thread::scope(|scope| {
        let parts: Vec<_> = block
            .clone()
            .step_by(share)
            .map(|from| {
                let places = from..block.end.min(from + share);
                scope.spawn(move || look_at(design, setting, seen, states, places))
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    })
}

fn look_at(
    design: &dyn Design,
    setting: &Setting,
    seen: &HashSet<u128>,
    states: &[u128],
    places: std::ops::Range<usize>,
) -> Part {
    let mut part = Part::default();
    let mut moves = Moves { design, setting, after: Vec::new() };
    for place in places {
        let state = State::unpacked(states[place]);
        if state.processes == [Process::None; 2] {
            for target in (0..=2).filter(|target| moves.may_take(&state, *target)) {
                match settles(design, setting, &state, target) {
                    Ok(took) => part.starts = part.starts.max(took),
                    Err(broken) => {
                        part.broken = Some((place, format!("{broken} ({target})")));
                        return part;
                    }
                }
            }
        }
        moves.after.clear();
        moves.all(&state);
        for (name, after) in moves.after.drain(..) {
            part.moves += 1;
            match after {
                Ok(after) => {
                    let after = among_equals(design, setting, after).packed();
                    if !seen.contains(&after) {
                        part.found.push((place, after));
                    }
                }
                Err(broken) => {
                    part.broken = Some((place, format!("{broken}\n  {name}")));
                    return part;
                }
            }
        }
    }
    part
}

/// One of two states that differ only in which process is which, unless something tells them apart.
fn among_equals(design: &dyn Design, setting: &Setting, mut state: State) -> State {
    if setting.second_process && design.spares_own() == design.spares_others() {
        state.processes.sort_unstable();
    }
    state
}

/// What broke, and how it came to that, last move first.
fn trace(
    design: &dyn Design,
    setting: &Setting,
    states: &[u128],
    before: &[u32],
    mut place: usize,
    broken: String,
) -> String {
    let mut text = broken;
    let mut moves = Moves { design, setting, after: Vec::new() };
    while place > 0 {
        let from = usize::try_from(before[place]).unwrap();
        moves.after.clear();
        moves.all(&State::unpacked(states[from]));
        let leads = |after: &State| among_equals(design, setting, *after).packed() == states[place];
        let taken = moves.after.iter().find(|(_, after)| after.as_ref().is_ok_and(leads));
        let (name, _) = taken.unwrap();
        text += &format!("\n  {name} -> {:?}", State::unpacked(states[place]));
        place = from;
    }
    text
}
