//! The search for a target through random delegations, held against a naive reading of the
//! specification (TUF 1.0, section 5.6.7): a recursion where the client has a stack, and a matcher
//! of its own.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::limits;

/// Keys that sign roles; an edge may name another than the role's own.
const KEYS: [&str; 3] = ["a", "b", "c"];
const PATHS: [&str; 4] = ["x/file", "x/y/file", "file", "X/file"];
const PATTERNS: [&str; 9] =
    ["x/*", "x/file", "*/file", "*", "*/*/*", "x/?ile", "x/f*e", "y/*", "x/fil"];

#[derive(Debug, Clone)]
struct Role {
    /// Which of [`KEYS`] signs it.
    key: usize,
    lists: bool,
    expired: bool,
    in_snapshot: bool,
    edges: Vec<Edge>,
}

#[derive(Debug, Clone)]
struct Edge {
    to: usize,
    /// Which of [`KEYS`] the delegator names.
    key: usize,
    terminating: bool,
    patterns: Vec<&'static str>,
    /// So many digits of the path's digest, in place of patterns; from the wrong end if odd.
    prefix: Option<usize>,
}

/// How a search ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Found(usize),
    Nowhere,
    Refused(usize, TrustKind),
}

/// Roles of which the first is `targets`; of `sound` edges and roles one has a fault of each kind,
/// and of `open` edges one is terminating.
fn graphs(
    roles: std::ops::Range<usize>,
    sound: f64,
    open: f64,
) -> impl Strategy<Value = Vec<Role>> {
    roles.prop_flat_map(move |count| {
        let rarely = move || prop::bool::weighted(1.0 / sound);
        let edge = (
            0..count,
            prop::option::weighted(1.0 / sound, 0..KEYS.len()),
            prop::bool::weighted(1.0 / open),
            prop::collection::vec(select(&PATTERNS[..]), 1..5),
            prop::option::weighted(0.2, 0..8_usize),
        );
        let edges = prop::collection::vec(edge, 1..5);
        let role = (0..KEYS.len(), prop::bool::weighted(0.15), rarely(), rarely(), edges);
        prop::collection::vec(role, count).prop_map(|roles| {
            let keys: Vec<_> = roles.iter().map(|role| role.0).collect();
            let edge =
                |(to, key, terminating, patterns, prefix): (usize, Option<usize>, _, _, _)| Edge {
                    to,
                    key: key.unwrap_or(keys[to]),
                    terminating,
                    patterns,
                    prefix,
                };
            roles
                .into_iter()
                .map(|(key, lists, expired, missing, edges)| Role {
                    key,
                    lists,
                    expired,
                    in_snapshot: !missing,
                    edges: once_each(edges.into_iter().map(edge)),
                })
                .collect()
        })
    })
}

/// The first edge to each role: a file delegates to a role once.
fn once_each(edges: impl Iterator<Item = Edge>) -> Vec<Edge> {
    let mut seen = std::collections::BTreeSet::new();
    edges.filter(|edge| seen.insert(edge.to)).collect()
}

fn name(role: usize) -> String {
    if role == 0 { "targets".to_owned() } else { format!("r{role}") }
}

fn prefix_of(path: &str, digits: usize) -> String {
    let digest = Digest::of(path.as_bytes()).to_string();
    let (start, end) = digest.split_at(digits);
    if digits.is_multiple_of(2) { start.to_owned() } else { end[..digits].to_owned() }
}

/// The specification's words, one by one.
struct Reference<'a> {
    graph: &'a [Role],
    path: &'a str,
    visited: Vec<usize>,
    asked: Vec<usize>,
}

/// What a branch of the search says to those beside it.
enum Branch {
    Over(End),
    /// A terminating delegation on the way: nobody else is asked.
    Closed,
    GoOn,
}

impl Reference<'_> {
    fn run(graph: &[Role], path: &str) -> (End, Vec<usize>) {
        let mut search = Reference { graph, path, visited: Vec::new(), asked: Vec::new() };
        let end = match search.visit(0, graph[0].key) {
            Branch::Over(end) => end,
            Branch::Closed | Branch::GoOn => End::Nowhere,
        };
        (end, search.asked)
    }

    fn visit(&mut self, at: usize, key: usize) -> Branch {
        if self.visited.contains(&at) || self.visited.len() == limits::DELEGATIONS {
            return Branch::GoOn;
        }
        self.visited.push(at);
        let role = &self.graph[at];
        let refuse = |kind| Branch::Over(End::Refused(at, kind));
        if at > 0 {
            if !role.in_snapshot {
                return refuse(TrustKind::NotInSnapshot);
            }
            self.asked.push(at);
            if role.key != key {
                return refuse(TrustKind::Signature);
            }
            if role.expired {
                return refuse(TrustKind::Expired);
            }
        }
        if role.lists {
            return Branch::Over(End::Found(at));
        }
        for edge in &role.edges {
            if edge.to == 0 || !self.follows(edge) {
                continue;
            }
            match self.visit(edge.to, edge.key) {
                Branch::GoOn if !edge.terminating => {}
                Branch::GoOn => return Branch::Closed,
                other => return other,
            }
        }
        Branch::GoOn
    }

    fn follows(&self, edge: &Edge) -> bool {
        if let Some(digits) = edge.prefix {
            let digest = Digest::of(self.path.as_bytes()).to_string();
            return digest.find(&prefix_of(self.path, digits)) == Some(0);
        }
        edge.patterns.iter().any(|pattern| {
            let same_depth = pattern.matches('/').count() == self.path.matches('/').count();
            same_depth && matches(pattern.as_bytes(), self.path.as_bytes())
        })
    }
}

/// By trying every way that a star could go.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) if matches(rest, text) => true,
        ([b'*', ..], [first, rest @ ..]) if *first != b'/' => matches(pattern, rest),
        ([b'?', after @ ..], [first, rest @ ..]) if *first != b'/' => matches(after, rest),
        ([wanted, after @ ..], [first, rest @ ..]) if wanted == first => matches(after, rest),
        _ => false,
    }
}

/// A repository of this graph, each role that lists `path` with other bytes.
fn repository(graph: &[Role], path: &str) -> Repo {
    let mut repo = Repo::new();
    repo.targets.delegations = None;
    let listed = |role: usize| target(name(role).as_bytes());
    for (number, role) in graph.iter().enumerate() {
        let mut metadata = Targets {
            common: common("targets", if number == 0 { 2 } else { 1 }),
            targets: BTreeMap::new(),
            delegations: None,
        };
        if role.lists {
            metadata.targets.insert(path.to_owned(), listed(number));
        }
        if role.expired && number > 0 {
            metadata.common.expires = at(NOW);
        }
        for edge in role.edges.iter().filter(|edge| edge.to > 0) {
            let signer = KEYS[edge.key];
            delegate(&mut metadata, &name(edge.to), &[signer], &edge.patterns, edge.terminating);
            if let Some(digits) = edge.prefix {
                let added = metadata.delegations.as_mut().unwrap().roles.last_mut().unwrap();
                added.paths = None;
                added.path_hash_prefixes = Some(vec![prefix_of(path, digits)]);
            }
        }
        if number == 0 {
            repo.targets = metadata;
        } else if role.in_snapshot {
            repo.roles.insert(name(number), (metadata, vec![KEYS[role.key]]));
        }
    }
    repo.publish();
    repo
}

/// What the client makes of it, and which delegated roles it asked for, in order.
fn client(repo: &Repo, path: &str) -> (End, Vec<usize>) {
    let device = Device::new(repo);
    let setting = Setting {
        root: &device.shipped,
        now: at(NOW),
        built: at(0),
        order: Order::Strict,
        seed: &device.seed,
    };
    let number = |role: &str| {
        if role == "targets" { 0 } else { role.strip_prefix('r').unwrap().parse().unwrap() }
    };
    let (mut keep, mut source) = (BTreeMap::new(), repo.clone());
    let found = with_session(&setting, &mut keep, &mut source, |session| session.find(path));
    let end = match found {
        Ok(file) => {
            let roles = 0..=repo.roles.len().max(99);
            End::Found(roles.into_iter().find(|at| file == target(name(*at).as_bytes())).unwrap())
        }
        Err(Error::Trust(error)) if error.kind == TrustKind::TargetNotFound => End::Nowhere,
        Err(Error::Trust(error)) => End::Refused(number(&error.role), error.kind),
        Err(error) => panic!("{error}"),
    };
    let asked = repo.requests().into_iter().filter_map(|file| {
        let role = file.strip_prefix("1.")?.strip_suffix(".json")?;
        role.strip_prefix('r')?.parse().ok()
    });
    (end, asked.collect())
}

fn agree(graph: &[Role], path: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(client(&repository(graph, path), path), Reference::run(graph, path));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_search_ends_where_the_specification_says(
        graph in graphs(2..12, 20.0, 4.0),
        path in select(&PATHS[..]),
    ) {
        agree(&graph, path)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_search_of_many_roles_ends_where_the_specification_says(
        mut graph in graphs(34..45, 2000.0, 100.0),
        path in select(&PATHS[..]),
    ) {
        // Wide enough at the top to come to the end of what one search visits.
        let (all, key) = (graph.len(), graph[0].key);
        graph[0] = Role { key, lists: false, expired: false, in_snapshot: true, edges: Vec::new() };
        for to in 1..all {
            let (key, patterns) = (graph[to].key, vec!["x/*", "*"]);
            graph[to].lists &= to > 30;
            graph[0].edges.push(Edge { to, key, terminating: false, patterns, prefix: None });
        }
        agree(&graph, path)?;
    }
}

#[test]
fn the_random_graphs_lead_to_every_end() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut ends = BTreeMap::new();
    for _ in 0..2000 {
        let graph = graphs(2..12, 20.0, 4.0).new_tree(&mut runner).unwrap().current();
        let (end, asked) = Reference::run(&graph, "x/file");
        let end = match end {
            End::Found(_) => "found".to_owned(),
            End::Nowhere => "nowhere".to_owned(),
            End::Refused(_, kind) => kind.to_string(),
        };
        let (count, longest) = ends.entry(end).or_insert((0, 0));
        (*count, *longest) = (*count + 1, asked.len().max(*longest));
    }
    assert_eq!(ends.len(), 5, "{ends:?}");
    for (end, (count, longest)) in ends {
        assert!(count > 20 && longest > 1, "{end}: {count}, {longest}");
    }
}
