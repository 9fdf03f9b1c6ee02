//! What becomes of a device whose app ships another root than before: the next of the same repository, an
//! older one, or that of another repository.

use super::*;

#[test]
fn an_app_with_a_newer_root_goes_on_from_what_it_kept() {
    let mut repo = Repo::new();
    let mut device = Device::new(&repo);
    repo.publish();
    device.sync(&repo).unwrap();
    for _ in 0..3 {
        repo.next_root(|_| {}, &["root"]);
    }
    device.shipped = repo.files["4.root.json"].clone();
    device.sync(&repo).unwrap();
    let old = Repo::new();
    repo.files.insert("timestamp.json".to_owned(), old.files["timestamp.json"].clone());
    assert_eq!(device.refusal(&repo), refused("timestamp", TrustKind::Rollback), "state was lost");
    // And back to an app with an older one.
    repo.publish();
    device.shipped = repo.files["2.root.json"].clone();
    assert!(device.sync(&repo).is_ok());
}

/// Another repository with the same keys but for its root, which says something else.
fn begun_anew() -> Repo {
    let mut other = Repo::new();
    other.root.common.expires = at(NOW + 99 * DAY);
    let shipped = sign_by(&other.root, &["root"]);
    other.files.insert("1.root.json".to_owned(), shipped);
    other
}

#[test]
fn an_app_with_a_root_of_another_repository_starts_anew() {
    let mut repo = Repo::new();
    for _ in 0..4 {
        repo.publish();
    }
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let other = begun_anew();
    device.shipped = other.shipped();
    assert!(device.sync(&other).is_ok(), "its timestamp is older, but nobody promised otherwise");
}

/// Files that a process keeps until it is killed, after so many changes.
struct Dying {
    kept: BTreeMap<String, Vec<u8>>,
    changes_left: usize,
}

impl Dying {
    fn change(&mut self) -> Result<()> {
        self.changes_left = self.changes_left.checked_sub(1).ok_or(Error::Cancelled)?;
        Ok(())
    }
}

impl Keep for Dying {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.kept.load(name)
    }
    fn save(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.change()?;
        self.kept.save(name, bytes)
    }
    fn remove(&mut self, name: &str) -> Result<()> {
        self.change()?;
        Keep::remove(&mut self.kept, name)
    }
    fn names(&self) -> Result<Vec<String>> {
        self.kept.names()
    }
}

#[test]
fn a_reset_that_was_cut_short_anywhere_is_made_up_for() {
    let mut repo = Repo::new();
    repo.next_root(|_| {}, &["root"]);
    for _ in 0..4 {
        repo.publish();
    }
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    // Only its root keys were stolen: the others sign on, and all numbers are low again.
    let other = begun_anew();
    let shipped = other.shipped();
    let seed = BTreeMap::new();
    let setting =
        Setting { root: &shipped, now: at(NOW), built: at(0), order: Order::Hot, seed: &seed };
    let mut deaths = 0;
    loop {
        let mut keep = Dying { kept: device.kept.clone(), changes_left: deaths };
        let run = |keep: &mut dyn Keep| {
            with_session(&setting, keep, &mut other.clone(), |session| Ok(session.reset))
        };
        if run(&mut keep).is_ok() {
            break;
        }
        deaths += 1;
        let mut kept = keep.kept;
        assert!(run(&mut kept).is_ok(), "after {deaths} changes: {:?}", run(&mut kept));
        let old = &device.kept["timestamp.json"];
        assert_ne!(kept.get("timestamp.json"), Some(old), "after {deaths} changes");
    }
    assert!(deaths > 6, "{deaths}");
}

/// A source that plays back the first state that the repository ever had.
fn played_back(repo: &Repo) -> Repo {
    let mut repo = repo.clone();
    let first = Repo::new().files["timestamp.json"].clone();
    repo.files.insert("timestamp.json".to_owned(), first);
    repo
}

/// A repository with so many roots, and a device that came to its third state under the app that ships
/// root `shipped`.
fn settled(roots: u64, shipped: u64) -> (Repo, Device) {
    let mut repo = Repo::new();
    for _ in 1..roots {
        repo.next_root(|_| {}, &["root"]);
    }
    repo.publish();
    repo.publish();
    let shipped = repo.files[&format!("{shipped}.root.json")].clone();
    let mut device = Device { shipped, ..Device::new(&repo) };
    device.sync(&repo).unwrap();
    (repo, device)
}

/// The same root in other bytes: white space, a field and a signature that nobody vouches for.
fn respelled(root: &[u8]) -> Vec<Vec<u8>> {
    let file = json::parse(root).unwrap();
    let (mut field, mut signature) = (file.clone(), file.clone());
    field["more"] = "of it".into();
    let stranger = json::parse(&sign_by(&file["signed"], &["stranger"])).unwrap();
    signature["signatures"].as_array_mut().unwrap().push(stranger["signatures"][0].clone());
    vec![
        [root, b" "].concat(),
        serde_json::to_vec_pretty(&file).unwrap(),
        json::compact(&field).unwrap(),
        json::compact(&signature).unwrap(),
    ]
}

#[test]
fn what_nobody_signed_of_a_root_is_no_proof_of_another_repository() {
    let (repo, device) = settled(1, 1);
    let mut repo = repo;
    repo.next_root(|_| {}, &["root"]);
    let genuine = repo.files["2.root.json"].clone();
    for spelling in respelled(&genuine) {
        // Somebody on the way spells the root anew, or a tool does so to the app's own.
        for (served, shipped) in [(&spelling, &genuine), (&genuine, &spelling)] {
            let (mut repo, mut device) = (repo.clone(), device.clone());
            repo.files.insert("2.root.json".to_owned(), served.clone());
            device.clock += DAY;
            device.sync(&repo).unwrap();
            assert_eq!(&device.kept["root/2.json"], served);
            device.shipped.clone_from(shipped);
            let refusal = device.refusal(&played_back(&repo));
            assert_eq!(refusal, refused("timestamp", TrustKind::Rollback), "state was lost");
        }
    }
}

#[test]
fn an_app_whose_root_is_newer_than_all_that_are_kept_asks_nobody_for_those_between() {
    let (mut repo, mut device) = settled(1, 1);
    repo.next_root(|_| {}, &["root"]);
    repo.next_root(|_| {}, &["root"]);
    device.shipped = repo.files["3.root.json"].clone();
    for bad in [None, Some(b"{}".to_vec()), Some(sign_by(&repo.root, &["stranger"]))] {
        let (mut repo, mut device) = (repo.clone(), device.clone());
        repo.files.remove("2.root.json");
        repo.files.extend(bad.map(|bad| ("2.root.json".to_owned(), bad)));
        let refusal = device.refusal(&played_back(&repo));
        assert_eq!(refusal, refused("timestamp", TrustKind::Rollback), "state was lost");
        repo.requests();
        device.sync(&repo).unwrap();
        assert!(!repo.requests().contains(&"2.root.json".to_owned()));
    }
}

#[test]
fn a_shipped_root_that_takes_keys_away_drops_what_they_signed_whatever_lies_between() {
    let (mut repo, mut device) = settled(1, 1);
    repo.timestamp = 1_000_000;
    repo.publish();
    device.sync(&repo).unwrap();
    repo.next_root(|_| {}, &["root"]);
    repo.next_root(
        |root| {
            root.keys.insert(key("new").public().id(), key("new").public().clone());
            root.roles.insert("timestamp".to_owned(), keys_of(&["new"], 1));
        },
        &["root"],
    );
    repo.files.remove("2.root.json");
    repo.timestamp = 5;
    let file = format!("{}.snapshot.json", repo.snapshot);
    repo.publish_timestamp(meta(repo.snapshot, &repo.files[&file]), "new");
    device.shipped = repo.files["3.root.json"].clone();
    assert!(device.sync(&repo).is_ok());
}

#[test]
fn a_root_that_proves_nothing_is_no_proof_of_another_repository() {
    let (repo, device) = settled(4, 3);
    let bad: [(Option<Vec<u8>>, TrustKind); 4] = [
        (None, TrustKind::Missing),
        (Some(b"{}".to_vec()), TrustKind::Malformed),
        (Some(repo.files["3.root.json"].clone()), TrustKind::RootVersion),
        (Some(sign_by(&repo.root, &["stranger"])), TrustKind::Signature),
    ];
    // Back to an app with an older root; those between it and what is kept have to be shown.
    let old_app = Device { shipped: repo.shipped(), ..device };
    for (bad, kind) in bad {
        let mut device = old_app.clone();
        let mut source = repo.clone();
        source.files.remove("2.root.json");
        source.files.extend(bad.map(|bad| ("2.root.json".to_owned(), bad)));
        assert_eq!(device.refusal(&source), refused("root", kind));
        let lost = old_app.kept.keys().find(|name| !device.kept.contains_key(*name));
        assert_eq!(lost, None, "{kind}");
        let refusal = device.refusal(&played_back(&repo));
        assert_eq!(refusal, refused("timestamp", TrustKind::Rollback), "state was lost");
        assert!(device.sync(&repo).is_ok());
        // From now on nobody need be asked.
        repo.requests();
        device.sync(&repo).unwrap();
        assert_eq!(repo.requests(), ["timestamp.json"]);
    }
}

#[test]
fn a_kept_root_that_is_damaged_is_fetched_again_and_never_done_without() {
    let (repo, device) = settled(3, 1);
    for version in 1..=3 {
        let name = format!("root/{version}.json");
        let mut device = device.clone();
        // Cut short, or with another root in its place.
        let damage = if version == 2 { repo.shipped() } else { device.kept[&name][..100].to_vec() };
        device.kept.insert(name.clone(), damage);
        let damaged = device.clone();
        let mut without = repo.clone();
        without.files.remove(&format!("{version}.root.json"));
        // The first one is in the app.
        if version > 1 {
            assert_eq!(device.refusal(&without), refused("root", TrustKind::Missing));
        }
        device = damaged;
        let refusal = device.refusal(&played_back(&repo));
        assert_eq!(refusal, refused("timestamp", TrustKind::Rollback), "state was lost");
        assert_eq!(device.kept[&name], repo.files[&format!("{version}.root.json")]);
    }
}

#[test]
fn another_repository_is_told_by_a_number_that_both_have_a_root_of() {
    // Here are roots 3 and 4. Of there only the online keys are the same, and all numbers are low again.
    let (_, device) = settled(4, 3);
    let mut other = Repo::new();
    other.root.keys.insert(key("other").public().id(), key("other").public().clone());
    other.root.roles.insert("root".to_owned(), keys_of(&["other"], 1));
    other.files.insert("1.root.json".to_owned(), sign_by(&other.root, &["other"]));
    for _ in 1..6 {
        other.next_root(|_| {}, &["other"]);
    }
    let withheld = Some(refused("root", TrustKind::Missing));
    let bound = Some(refused("timestamp", TrustKind::Rollback));
    for (shipped, newest, refusal) in [
        // Its newest is lower than all here: nothing tells it from an older app of the same repository.
        (1, 2, withheld),
        (1, 3, None),
        (3, 3, None),
        (4, 4, None),
        // Nobody here signed the next one.
        (5, 5, None),
        // What was in between may have been signed here and there: what was seen goes on to bind.
        (6, 6, bound),
    ] {
        let mut other = other.clone();
        for gone in newest + 1..=6 {
            other.files.remove(&format!("{gone}.root.json"));
        }
        let root = other.files[&format!("{shipped}.root.json")].clone();
        let mut device = Device { shipped: root, ..device.clone() };
        match refusal {
            None => assert!(device.sync(&other).is_ok(), "root {shipped} of {newest}"),
            Some(refusal) => assert_eq!(device.refusal(&other), refusal),
        }
    }
}

#[test]
fn a_reset_is_told_until_a_session_ends_well() {
    let repo = Repo::new();
    let mut device = Device::new(&repo);
    device.sync(&repo).unwrap();
    let mut other = begun_anew();
    device.shipped = other.shipped();
    let timestamp = other.files.remove("timestamp.json").unwrap();
    assert_eq!(device.refusal(&other), refused("timestamp", TrustKind::Missing));
    other.files.insert("timestamp.json".to_owned(), timestamp);
    let seed = BTreeMap::new();
    let setting = Setting {
        root: &device.shipped,
        now: at(NOW),
        built: at(0),
        order: Order::Hot,
        seed: &seed,
    };
    let mut told = || {
        let (keep, source) = (&mut device.kept, &mut other.clone());
        with_session(&setting, keep, source, |session| Ok(session.reset)).unwrap()
    };
    assert!(told());
    assert!(!told());
}
