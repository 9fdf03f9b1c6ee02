//! Sealed releases: what an eavesdropper sees, and what is refused of a seal or of what it covers.
//!
//! Whoever can open a release is no more trusted for that: signed digests stand before every seal.
//! Tests in which the signers themselves mean ill show that a seal cannot be bent to mean two things.

use std::fs;

use farad::digest::{Digest, Truncated};
use farad::hex;
use farad::host::System;
use farad::id::AppId;
use farad::json;
use farad::release::pack::{index_folder, small_blob, write_pack};
use farad::release::{Blob, Layout};
use farad::seal::{Object, OpeningKey, Sealer};
use farad::updater::{Status, Via};
use serde_json::{Value, json};

use crate::forge::{APP, Forge, Release};
use crate::phone::{Phone, files};
use crate::site::{Answer, Site};

/// A release that is sealed for the app's key, as its signers have it before they sign.
struct Sealed {
    app: AppId,
    manifest: Value,
    layout: Layout,
    pack: Vec<u8>,
    /// Blobs by path.
    blobs: Vec<(String, Vec<u8>)>,
    /// Path and digest of every plain file, and the identity.
    names: Vec<String>,
    digests: Vec<Digest>,
}

fn key() -> OpeningKey {
    OpeningKey::from_bytes([7; 32])
}

impl Sealed {
    /// Makes a release and lets `change` alter its parts before they are put together.
    fn new(version: &str, app: &str, change: impl FnOnce(&mut Self, &Sealer<'_>)) -> Self {
        let app: AppId = app.parse().unwrap();
        let sealer = Sealer::new(&app, &System).unwrap();
        let web = tempfile::tempdir().unwrap();
        let noise: Vec<u8> = (0_u32..50_000)
            .flat_map(|n| Digest::of(&n.to_be_bytes()).as_bytes()[..4].to_vec())
            .collect();
        fs::create_dir(web.path().join("secret-plans")).unwrap();
        for (path, bytes) in [
            ("index.html", format!("<title>{version}</title>").into_bytes()),
            ("secret-plans/launch.js", b"// nobody may know\n".repeat(999)),
            ("noise.bin", noise),
        ] {
            fs::write(web.path().join(path), bytes).unwrap();
        }
        let index = index_folder(web.path()).unwrap();
        let mut pack = Vec::new();
        let (layout, pack_blob) = write_pack(web.path(), &index, Some(&sealer), &mut pack).unwrap();
        let (index_blob, index_bytes) =
            small_blob(&index.to_bytes(), Object::Index, Some(&sealer)).unwrap();
        let seal = sealer.seal(&[key().recipient(), OpeningKey::from_bytes([8; 32]).recipient()]);
        let manifest = json!({
            "schema": 1, "app": APP, "channel": "production", "requires": ["seal"],
            "version": version, "sequence": 2, "created": "2026-11-24T10:00:00Z", "native": {},
            "bundle": { "keyed": sealer.content().label(&index.identity()).unwrap() },
            "index": index_blob, "pack": pack_blob, "seal": seal.unwrap(),
        });
        let names = index.files().iter().map(|file| file.path.clone()).collect();
        let digests = index.files().iter().map(|file| file.sha256);
        let digests = digests.chain([index.identity()]).collect();
        let blobs = vec![(index_blob.path(), index_bytes)];
        let mut sealed = Self { app: app.clone(), manifest, layout, pack, blobs, names, digests };
        change(&mut sealed, &sealer);
        sealed.put_together(&sealer);
        sealed
    }

    /// Seals the layout as it is now and names pack and layout as they are now.
    fn put_together(&mut self, sealer: &Sealer<'_>) {
        let layout = self.layout.to_bytes().unwrap();
        let (blob, bytes) = small_blob(&layout, Object::Layout, Some(sealer)).unwrap();
        self.blobs.push((blob.path(), bytes));
        if self.manifest.get("layout").is_none() {
            self.manifest["layout"] = serde_json::to_value(&blob).unwrap();
        }
        self.manifest["pack"]["sha256"] = json!(Digest::of(&self.pack));
        self.manifest["pack"]["length"] = json!(self.pack.len());
        self.blobs.push((format!("blobs/{}", Digest::of(&self.pack)), self.pack.clone()));
    }

    /// Signs, lists and offers it.
    fn publish(&self, forge: &mut Forge) -> Release {
        let bytes = json::compact(&self.manifest).unwrap();
        forge.put("production-releases", "production/releases/2.json", &bytes);
        forge.files.extend(self.blobs.iter().cloned());
        let release = Release { sequence: 2, manifest: Digest::of(&bytes) };
        forge.rollout("production", &[release.offer()]);
        forge.publish();
        release
    }

    /// A phone with the app's key that runs 1.0.0, and is now offered this.
    fn offered(&self) -> (Forge, Site, Phone) {
        let mut forge = Forge::new();
        let site = Site::new(&forge);
        let mut phone = Phone::running(&forge, &site);
        phone.opening = vec![key()];
        self.publish(&mut forge);
        site.serve(&forge);
        (forge, site, phone)
    }
}

/// What the phone says of a release whose parts were changed. Nothing of it is left outside staging.
fn refused(change: impl FnOnce(&mut Sealed, &Sealer<'_>)) -> String {
    let sealed = Sealed::new("2.0.0", APP, change);
    let (_forge, _site, phone) = sealed.offered();
    let before = files(&phone.storage());
    let code = phone.refused();
    let kept = ["trust/", "policies/", "downloads/"];
    let ours = ["ledger", "lock", "sync.lock", "outbox"];
    for path in files(&phone.storage()).keys().filter(|path| !before.contains_key(*path)) {
        let known = kept.iter().any(|folder| path.starts_with(folder))
            || ours.iter().any(|file| path.starts_with(file));
        assert!(known || path.starts_with("staging/"), "left behind: {path}");
    }
    code
}

#[test]
fn attack_37_an_eavesdropper_sees_noise() {
    let sealed = Sealed::new("2.0.0", APP, |_, _| {});
    let (forge, site, phone) = sealed.offered();
    let synced = phone.sync().unwrap();
    assert_eq!((synced.status, synced.via), (Status::Staged, Some(Via::Pack)));
    assert_eq!(phone.shows(), "2.0.0");
    // Everything that can travel, asked for or not.
    let old = Forge::new();
    let new = forge.files.iter().filter(|(path, bytes)| old.files.get(*path) != Some(bytes));
    let mut seen = 0;
    for (path, bytes) in new {
        let has = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        for name in &sealed.names {
            assert!(!has(name.as_bytes()), "{path} tells of {name}");
        }
        for digest in &sealed.digests {
            let text = digest.to_string();
            assert!(!has(digest.as_bytes()) && !has(text.as_bytes()), "{path} tells a digest");
        }
        assert!(!has(b"nobody may know"), "{path} tells content");
        if path.starts_with("blobs/") {
            let smaller = zstd::bulk::compress(bytes, 19).unwrap().len() as f64;
            assert!(smaller > bytes.len() as f64 * 0.99, "{path} has a pattern");
            seen += 1;
        }
    }
    assert_eq!(seen, 3, "index, layout, pack");
    assert!(!site.asked().is_empty());
}

#[test]
fn attack_30_a_seal_or_a_blob_of_another_release() {
    let mut other = None;
    Sealed::new("1.9.0", APP, |sealed, _| {
        other = Some((sealed.manifest.clone(), sealed.blobs.clone()));
    });
    let (other, other_blobs) = other.unwrap();
    // A server, without any key: other bytes under the same name.
    let sealed = Sealed::new("2.0.0", APP, |_, _| {});
    for (at, blob) in ["index", "layout", "pack"].into_iter().enumerate() {
        let (_forge, site, phone) = sealed.offered();
        let path = format!("blobs/{}", sealed.manifest[blob]["sha256"].as_str().unwrap());
        let length = sealed.manifest[blob]["length"].as_u64().unwrap();
        let stranger = Sealed::new("1.9.0", APP, |_, _| {});
        let mut bytes = stranger.blobs[at].1.clone();
        bytes.resize(usize::try_from(length).unwrap(), 0);
        site.answer(&path, Answer::File(bytes));
        assert_eq!(phone.refused(), "hash-mismatch", "{blob}");
    }
    // Signers who mix releases: the header of one, the blobs of another.
    assert_eq!(refused(|sealed, _| sealed.manifest["seal"] = other["seal"].clone()), "seal");
    assert_eq!(
        refused(|sealed, _| {
            sealed.manifest["index"] = other["index"].clone();
            sealed.blobs.extend(other_blobs.clone());
        }),
        "seal"
    );
    // One object in another's place.
    assert_eq!(
        refused(|sealed, _| sealed.manifest["layout"] = sealed.manifest["index"].clone()),
        "seal"
    );
    // A salt that is not the blob's.
    assert_eq!(
        refused(|sealed, _| sealed.manifest["pack"]["salt"] = json!(Digest::of(b"salt"))),
        "seal"
    );
    // The name of another content.
    assert_eq!(
        refused(|sealed, _| sealed.manifest["bundle"] = other["bundle"].clone()),
        "hash-mismatch"
    );
}

#[test]
fn a_seal_that_says_two_things_is_refused_before_anything_is_fetched() {
    let swap = |sealed: &mut Sealed, _: &Sealer<'_>| {
        let recipients = sealed.manifest["seal"]["recipients"].as_array_mut().unwrap();
        let (one, two) = (recipients[0]["kid"].clone(), recipients[1]["kid"].clone());
        recipients[0]["kid"] = two;
        recipients[1]["kid"] = one;
    };
    let sealed = Sealed::new("2.0.0", APP, swap);
    let (_forge, site, phone) = sealed.offered();
    assert_eq!(phone.refused(), "seal", "recipients swapped");
    assert!(!site.asked().iter().any(|path| path.starts_with("blobs/")), "nothing was fetched");
    // Two recipients who are given different keys.
    let differs = |sealed: &mut Sealed, _: &Sealer<'_>| {
        let other = Sealer::new(&sealed.app, &System).unwrap();
        let seal = serde_json::to_value(other.seal(&[key().recipient()]).unwrap()).unwrap();
        sealed.manifest["seal"]["recipients"][0] = seal["recipients"][0].clone();
    };
    assert_eq!(refused(differs), "seal");
    let other_commit = |sealed: &mut Sealed, _: &Sealer<'_>| {
        sealed.manifest["seal"]["commit"] = json!(Digest::of(b""));
    };
    assert_eq!(refused(other_commit), "seal");
    let unknown =
        |sealed: &mut Sealed, _: &Sealer<'_>| sealed.manifest["seal"]["alg"] = json!("rot13");
    assert_eq!(refused(unknown), "seal");
    // One that announces what it needs is none of this client's business.
    let later = Sealed::new("2.0.0", APP, |sealed, _| {
        sealed.manifest["requires"] = json!(["seal", "seal-2"]);
        sealed.manifest["seal"]["alg"] = json!("better");
        // Nor is what it looks like.
        sealed.manifest["seal"]["recipients"] = json!([{ "key": "00".repeat(1120) }]);
        sealed.manifest["bundle"] = json!("somehow");
    });
    let (_forge, _site, phone) = later.offered();
    assert_eq!(phone.status(), Status::Unsupported);
}

#[test]
fn a_release_that_was_sealed_for_another_app_is_refused() {
    let sealed = Sealed::new("2.0.0", "com.example.bank", |_, _| {});
    let (_forge, _site, phone) = sealed.offered();
    assert_eq!(phone.refused(), "seal");
}

#[test]
fn segments_of_the_pack_cut_doubled_swapped_or_moved_are_refused() {
    // The frame of noise.bin: four whole segments, and one more.
    fn alter(sealed: &mut Sealed, change: impl Fn(&mut Vec<Vec<u8>>)) {
        let mut frames = sealed.layout.frames().to_vec();
        let mut offset = 0;
        let frame = frames
            .iter_mut()
            .find(|frame| {
                let found = frame.pieces.len() > 2;
                offset += if found { 0 } else { frame.length };
                found
            })
            .unwrap();
        let offset = usize::try_from(offset).unwrap();
        let end = offset + usize::try_from(frame.length).unwrap();
        let mut segments: Vec<Vec<u8>> =
            sealed.pack[offset..end].chunks(65_552).map(<[u8]>::to_vec).collect();
        change(&mut segments);
        frame.pieces = segments.iter().map(|segment| Truncated::of(segment)).collect();
        frame.length = segments.concat().len() as u64;
        let after = sealed.pack.split_off(end);
        sealed.pack.truncate(offset);
        sealed.pack.extend(segments.concat());
        sealed.pack.extend(after);
        // The pack still has a length that sealed packs have.
        let all: u64 = frames.iter().map(|frame| frame.length).sum();
        let filler = all.next_multiple_of(1024) - all;
        sealed.layout = Layout::new(frames, filler, true);
        sealed.pack.resize(usize::try_from(all + filler).unwrap(), 0);
    }
    assert_eq!(refused(|sealed, _| alter(sealed, |segments| segments.swap(0, 1))), "seal");
    // All that is there is genuine and in its place: the frame alone is cut short.
    assert_eq!(refused(|sealed, _| alter(sealed, |segments| drop(segments.pop()))), "malformed");
    assert_eq!(refused(|sealed, _| alter(sealed, |segments| drop(segments.remove(0)))), "seal");
    assert_eq!(
        refused(|sealed, _| alter(sealed, |segments| segments.insert(1, segments[0].clone()))),
        "seal"
    );
    // Unaltered, the same way of putting it together is taken.
    let sealed = Sealed::new("2.0.0", APP, |sealed, _| alter(sealed, |_| {}));
    let (_forge, _site, phone) = sealed.offered();
    assert_eq!(phone.status(), Status::Staged);
}

#[test]
fn whoever_can_open_a_release_still_cannot_forge_a_byte_of_it() {
    // Held: the content key and the server. Not held: a key that signs.
    let mut forged = Vec::new();
    let sealed = Sealed::new("2.0.0", APP, |sealed, sealer| {
        let index: Blob = serde_json::from_value(sealed.manifest["index"].clone()).unwrap();
        let key =
            sealer.content().object(&sealed.app, Object::Index, &index.salt.unwrap()).unwrap();
        let mut segment = [&8_u64.to_be_bytes()[..], b"farad-in"].concat();
        segment.resize(usize::try_from(index.length - 16).unwrap(), 0);
        key.seal(0, true, &mut segment).unwrap();
        forged = segment;
    });
    let (_forge, site, phone) = sealed.offered();
    let path = format!("blobs/{}", sealed.manifest["index"]["sha256"].as_str().unwrap());
    site.answer(&path, Answer::File(forged));
    assert_eq!(phone.refused(), "hash-mismatch");
}

#[test]
fn a_sealed_pack_cut_at_any_segment_or_changed_anywhere_is_refused_and_recovers() {
    let sealed = Sealed::new("2.0.0", APP, |_, _| {});
    let path = format!("blobs/{}", sealed.manifest["pack"]["sha256"].as_str().unwrap());
    let mut ends: Vec<usize> = (0..sealed.pack.len()).step_by(65_552).collect();
    // Filler is never missed.
    let filler = usize::try_from(sealed.layout.filler()).unwrap();
    let last = sealed.pack.len() - filler - 1;
    ends.push(last);
    for end in ends {
        let mut flipped = sealed.pack.clone();
        flipped[end.min(last)] ^= 1;
        for (bytes, codes) in [
            (sealed.pack[..end].to_vec(), &["network", "http-status"][..]),
            (flipped, &["hash-mismatch"]),
        ] {
            let (forge, site, phone) = sealed.offered();
            site.answer(&path, Answer::File(bytes));
            let code = phone.refused();
            assert!(codes.contains(&code.as_str()), "{code}");
            phone.wait(86_400);
            site.serve(&forge);
            assert_eq!(phone.status(), Status::Staged);
            assert_eq!(phone.shows(), "2.0.0");
        }
    }
}

#[test]
fn an_open_release_is_refused_where_sealing_is_required() {
    let mut forge = Forge::new();
    let site = Site::new(&forge);
    let mut phone = Phone::running(&forge, &site);
    phone.opening = vec![key()];
    phone.config.sealed = vec!["production".parse().unwrap()];
    let open = forge.release("production", 2, "2.0.0");
    forge.rollout("production", &[open.offer()]);
    forge.publish();
    site.serve(&forge);
    assert_eq!(phone.refused(), "seal");
    assert!(!site.asked().iter().any(|path| path.starts_with("blobs/")));
    // Stripped of its seal, a sealed manifest is none; sealed by halves, it is malformed.
    assert_eq!(
        refused(|sealed, _| drop(sealed.manifest.as_object_mut().unwrap().remove("seal"))),
        "malformed"
    );
    assert_eq!(
        refused(|sealed, _| drop(sealed.manifest["index"].as_object_mut().unwrap().remove("salt"))),
        "malformed"
    );
}

#[test]
fn without_a_key_nothing_is_blocked_and_the_key_may_come_later() {
    let sealed = Sealed::new("2.0.0", APP, |_, _| {});
    let (_forge, site, mut phone) = sealed.offered();
    for keys in [Vec::new(), vec![OpeningKey::from_bytes([9; 32])]] {
        phone.opening = keys;
        let synced = phone.sync().unwrap();
        assert_eq!(synced.status, Status::KeyMissing);
        assert_eq!(synced.release.unwrap().version, "2.0.0");
        assert!(!site.asked().iter().any(|path| path.starts_with("blobs/")));
        assert_eq!(phone.shows(), "1.0.0");
    }
    phone.opening = vec![key()];
    assert_eq!(phone.status(), Status::Staged);
    assert_eq!(phone.shows(), "2.0.0");
    // What was installed runs on without its key.
    phone.opening = Vec::new();
    assert_eq!(phone.status(), Status::UpToDate);
    assert_eq!(phone.shows(), "2.0.0");
}

#[test]
fn no_error_shows_a_key() {
    let sealed = Sealed::new("2.0.0", APP, |sealed, _| {
        sealed.manifest["seal"]["commit"] = json!(Digest::of(b""));
    });
    let (_forge, _site, phone) = sealed.offered();
    let error = phone.sync().unwrap_err();
    let shown = format!("{error} {error:?} {:?}", phone.opening);
    assert!(!shown.contains(&hex::encode(&[7; 32])) && !shown.contains("7, 7"), "{shown}");
    assert_eq!(error.to_string(), "the release is not sealed as it must be");
}

#[test]
fn a_sealed_download_that_was_cut_goes_on_where_it_was() {
    let sealed = Sealed::new("2.0.0", APP, |_, _| {});
    let path = format!("blobs/{}", sealed.manifest["pack"]["sha256"].as_str().unwrap());
    let (forge, site, phone) = sealed.offered();
    site.answer(&path, Answer::File(sealed.pack[..150_000].to_vec()));
    assert_eq!(phone.refused(), "http-status");
    phone.wait(86_400);
    site.serve(&forge);
    let synced = phone.sync().unwrap();
    assert_eq!(synced.status, Status::Staged);
    // Two whole segments came before; index and layout may come again.
    let left = sealed.pack.len() as u64 - 2 * 65_552;
    assert!(synced.bytes < left + 5_000, "{} bytes for the {left} that were left", synced.bytes);
}
