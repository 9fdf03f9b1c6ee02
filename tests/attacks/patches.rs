//! Patches that are not what they should be. The phone gets the signed bundle all the same.

use farad::digest::Digest;
use farad::patch::make::{Bundle, Draft, make};
use farad::release::pack::{index_folder, patch_blob};
use farad::release::{File, Index};
use farad::updater::Via;
use serde_json::json;

use crate::forge::Forge;
use crate::phone::{Phone, files};
use crate::site::{Answer, Site};

/// Every version has this much in common, or a patch would not be worth it.
fn forge() -> Forge {
    let noise = (0..400_u32).flat_map(|n| Digest::of(&n.to_be_bytes()).as_bytes().to_vec());
    Forge::with(Some(noise.collect()))
}

fn patch(forge: &Forge, from: &str, to: &str) -> Vec<u8> {
    let (old, new) = (forge.web(from), forge.web(to));
    let (old_index, new_index) =
        (index_folder(old.path()).unwrap(), index_folder(new.path()).unwrap());
    let read = |web: &tempfile::TempDir| {
        let folder = web.path().to_owned();
        move |file: &File, from: u64, to: u64| {
            let bytes = std::fs::read(folder.join(&file.path)).unwrap();
            Ok(bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()].to_vec())
        }
    };
    let (read_old, read_new) = (read(&old), read(&new));
    let base = Bundle { index: &old_index, read: &read_old };
    let draft = Draft::new(base, Bundle { index: &new_index, read: &read_new }).unwrap();
    make(&[draft], 1, &|_| ()).unwrap().remove(0)
}

/// Offers 1.1.0 with `patch` as the way from 1.0.0; returns the path of its blob.
fn offer(forge: &mut Forge, patch: Vec<u8>) -> String {
    let base = index_folder(forge.web("1.0.0").path()).unwrap().identity();
    let (blob, bytes) = patch_blob(patch, None).unwrap();
    let release = forge.release_with("production", 2, "1.1.0", |manifest| {
        manifest["patches"] = json!([{ "base": base, "blob": blob }]);
    });
    forge.files.insert(blob.path(), bytes);
    forge.rollout("production", &[release.offer()]);
    forge.publish();
    blob.path()
}

/// The phone ends with exactly the files of 1.1.0.
fn assert_right(phone: &Phone, forge: &Forge) {
    let path = phone.updater().boot(false).path.unwrap();
    assert_eq!(phone.shows(), "1.1.0");
    assert_eq!(files(&path), files(forge.web("1.1.0").path()));
}

#[test]
fn attack_31_a_patch_in_anothers_place() {
    let mut forge = forge();
    let site = Site::new(&forge);
    let good = patch(&forge, "1.0.0", "1.1.0");
    let older = patch(&forge, "0.9.0", "1.1.0");
    let installed = forge.clone();
    let blob = offer(&mut forge, good.clone());
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let index = forge.files.iter().find(|(path, _)| path.starts_with("blobs/")).unwrap().1;
    let answers = [
        older,
        index.clone(),
        flipped(0),
        flipped(good.len() / 2),
        flipped(good.len() - 1),
        vec![0; good.len()],
    ];
    for answer in answers {
        site.serve(&installed);
        let phone = Phone::running(&installed, &site);
        site.serve(&forge);
        let full = [&answer[..], &vec![0; good.len()]].concat()[..good.len()].to_vec();
        site.answer(&blob, Answer::File(full));
        let synced = phone.sync().unwrap();
        assert_eq!((synced.via, synced.fallback), (Some(Via::Ranges), Some("hash-mismatch")));
        assert_right(&phone, &forge);
    }
    // And with nobody in between.
    site.serve(&installed);
    let phone = Phone::running(&installed, &site);
    site.serve(&forge);
    assert_eq!(phone.sync().unwrap().via, Some(Via::Patch));
    assert_right(&phone, &forge);
}

#[test]
fn attack_31_a_patch_that_makes_other_bytes() {
    let sound = forge();
    let other = patch(&sound, "1.0.0", "6.6.6");
    let good = patch(&sound, "1.0.0", "1.1.0");
    let longer = [&good[..], b"more"].concat();
    let cut = good[..good.len() - 1].to_vec();
    let unknown = [&[2], &good[1..]].concat();
    for signed in [other, longer, cut, unknown, vec![1]] {
        let mut forge = sound.clone();
        let site = Site::new(&forge);
        let phone = Phone::running(&forge, &site);
        offer(&mut forge, signed.clone());
        site.serve(&forge);
        let synced = phone.sync().unwrap();
        assert_eq!(synced.via, Some(Via::Ranges), "{signed:x?}");
        assert!(["hash-mismatch", "malformed"].contains(&synced.fallback.unwrap()));
        assert_right(&phone, &forge);
    }
}

#[test]
fn a_patch_that_names_paths_outside_is_refused_before_anything_is_written() {
    let mut forge = forge();
    let site = Site::new(&forge);
    let phone = Phone::running(&forge, &site);
    let base = index_folder(forge.web("1.0.0").path()).unwrap();
    offer(&mut forge, climbing(&base));
    site.serve(&forge);
    let before = files(phone.home.path());
    let synced = phone.sync().unwrap();
    assert_eq!((synced.via, synced.fallback), (Some(Via::Ranges), Some("malformed")));
    assert!(!phone.home.path().join("evil").exists());
    let after = files(phone.home.path());
    let strange = after.keys().filter(|path| !before.contains_key(*path));
    assert!(strange.into_iter().all(|path| path.starts_with("storage/")));
    assert_right(&phone, &forge);
}

/// A patch, made by hand from docs/format.md, that keeps the base and adds an empty file.
fn climbing(base: &Index) -> Vec<u8> {
    let path = b"../../../evil";
    let count = u8::try_from(base.files().len()).unwrap();
    // One run of all; one file added, like none, all of its path its own, empty; no group.
    let mut head = vec![1, count, 1, count * 2, 0, 0, u8::try_from(path.len()).unwrap(), 1];
    head.extend_from_slice(path);
    head.push(0);
    let frame = zstd::bulk::compress(&head, 3).unwrap();
    let lengths = [u8::try_from(frame.len()).unwrap(), u8::try_from(head.len()).unwrap()];
    [&[1][..], &lengths, &frame].concat()
}
