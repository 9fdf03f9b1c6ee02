//! Seeds of the corpora, by target and name.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use farad::boot::Reason;
use farad::digest::Digest;
use farad::host::Random;
use farad::json::compact;
use farad::patch::make::{Bundle, Draft, make};
use farad::pilot::METHODS;
use farad::release::pack::{index_folder, small_blob, write_pack};
use farad::release::{File, Index};
use farad::seal::{Object, OpeningKey, Sealer};
use farad::store::memory::MemoryDisk;
use farad::store::{Disk as _, Store, Tombstone};
use serde_json::{Value, json};

use crate::forge::{self, Forge};
use crate::parsers::pieces::{BASE, BASE_INDEX};
use crate::parsers::{storage, trust};

type Seeds = BTreeMap<String, Vec<u8>>;

/// Randomness that is none, so that seeds stay what they are.
struct Counting(AtomicU8);

impl Random for Counting {
    fn bytes(&self) -> Option<[u8; 16]> {
        Some([self.0.fetch_add(1, Ordering::Relaxed); 16])
    }
}

/// Every seed, by its place in `fuzz/corpus`.
pub fn all() -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |name: &str, bytes: &[u8]| {
        assert!(seeds.insert(name.to_owned(), bytes.to_vec()).is_none(), "{name} twice");
    };
    metadata(&mut add);
    keys(&mut add);
    documents(&mut add);
    releases(&mut add);
    storage(&mut add);
    words(&mut add);
    seeds
}

type Add<'a> = &'a mut dyn FnMut(&str, &[u8]);

fn text(value: &Value) -> Vec<u8> {
    compact(value).unwrap()
}

fn metadata(add: Add<'_>) {
    let honest = trust::honest();
    for (role, signed) in &honest {
        add(&format!("metadata/good-{role}"), &text(signed));
        let file = trust::file(signed).unwrap();
        if role == "timestamp" || role == "targets" || role == "snapshot" {
            add(&format!("envelope/good-{role}"), &file);
        }
        if role == "targets" {
            add("draft/good-targets", &file);
            let mut more = signed.clone();
            more["unknown"] = json!(1);
            add("draft/bad-field", &trust::file(&more).unwrap());
            let mut twice: Value = serde_json::from_slice(&file).unwrap();
            let again = twice["signatures"][0].clone();
            twice["signatures"].as_array_mut().unwrap().push(again);
            add("draft/bad-doubled", &text(&twice));
            add("envelope/bad-doubled", &text(&twice));
        }
    }
    add("metadata/bad-empty", b"{}");
    add("envelope/bad-unsigned", br#"{"signatures":[],"signed":{"_type":"timestamp"}}"#);
    add("envelope/bad-list", b"[]");
    let changed = |role: &str, change: &dyn Fn(&mut Value)| {
        let mut signed = honest[role].clone();
        change(&mut signed);
        text(&json!({ role: signed }))
    };
    add("repository/good-honest", b"{}");
    add("repository/good-root", &changed("root", &|root| root["version"] = json!(2)));
    add("repository/bad-root", &changed("root", &|root| root["version"] = json!(3)));
    add(
        "repository/bad-expired",
        &changed("below", &|role| {
            role["expires"] = json!("2020-01-01T00:00:00Z");
        }),
    );
    add(
        "repository/bad-circle",
        &changed("below", &|role| {
            role["targets"] = json!({});
            role["delegations"] = honest["targets"]["delegations"].clone();
        }),
    );
    add(
        "repository/bad-role-name",
        &changed("targets", &|role| {
            role["delegations"]["roles"][0]["name"] = json!("snapshot");
        }),
    );
    let prefix = Digest::of(b"folder/file").to_string()[..6].to_owned();
    add(
        "repository/good-prefix",
        &changed("targets", &|role| {
            let delegation = role["delegations"]["roles"][0].as_object_mut().unwrap();
            delegation.remove("paths");
            delegation.insert("path_hash_prefixes".to_owned(), json!([prefix]));
        }),
    );
    add(
        "repository/bad-version",
        &changed("timestamp", &|role| {
            role["meta"]["snapshot.json"]["version"] = json!(i64::MAX);
        }),
    );
    for which in 0..8_u8 {
        add(&format!("kept/good-{which}"), &[&[which][..], b"damaged"].concat());
    }
    add("kept/bad-nothing", b"");
}

fn keys(add: Add<'_>) {
    let vectors = include_str!("../vectors/signatures.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
    for vector in &vectors {
        let (kind, public) = (&vector["key"]["keytype"], &vector["key"]["keyval"]["public"]);
        let (kind, public) = (kind.as_str().unwrap(), public.as_str().unwrap());
        let good = if public.starts_with("-----") { "good" } else { "bad-hex" };
        add(&format!("key/{good}-{kind}"), public.as_bytes());
    }
    let ed25519 = farad::trust::key::Key::ed25519(&[7; 32]).to_pem().unwrap();
    add("key/good-ed25519", ed25519.as_bytes());
    add("key/bad-label", ed25519.replace("PUBLIC", "PRIVATE").as_bytes());
    let opening = OpeningKey::from_bytes([9; 32]);
    let ending = pem_rfc7468::LineEnding::LF;
    let pem = pem_rfc7468::encode_string("PRIVATE KEY", ending, &opening.to_pkcs8()).unwrap();
    add("seal/good-opening-key", pem.as_bytes());
    add("seal/bad-opening-key", pem.replace("MC", "MD").as_bytes());
    add("seal/good-manifest", &text(&sealed_manifest(&opening)));
    let mut strange = sealed_manifest(&opening);
    strange["seal"]["alg"] = json!("none");
    add("seal/bad-algorithm", &text(&strange));
    add("manifest/good-sealed", &text(&sealed_manifest(&opening)));
    strange["seal"] = json!(null);
    add("manifest/bad-half-sealed", &text(&strange));
}

fn sealed_manifest(opening: &OpeningKey) -> Value {
    let (app, random) = (forge::APP.parse().unwrap(), Counting(AtomicU8::new(1)));
    let sealer = Sealer::new(&app, &random).unwrap();
    let mut manifest = open_manifest();
    manifest["requires"] = json!(["seal"]);
    manifest["bundle"] = json!({ "keyed": sealer.content().label(&Digest::of(b"")).unwrap() });
    manifest["seal"] = serde_json::to_value(sealer.seal(&[opening.recipient()]).unwrap()).unwrap();
    for (name, kind) in [("index", Object::Index), ("layout", Object::Layout)] {
        let (blob, _) = small_blob(b"what it says", kind, Some(&sealer)).unwrap();
        manifest[name] = serde_json::to_value(blob).unwrap();
    }
    let pack = &mut manifest["pack"];
    (pack["salt"], pack["decoded"]) = (json!(Digest::of(b"salt")), json!(2048));
    pack["length"] = json!(2048);
    manifest
}

fn open_manifest() -> Value {
    let mut forge = Forge::empty(forge::APP, forge::NOW);
    let manifest = forge.manifest("production", 2, "1.1.0", |_| {});
    serde_json::from_slice(&manifest).unwrap()
}

fn documents(add: Add<'_>) {
    add("json/good-all", "{\"a\":[1,-2,true,null],\"b\":\"é\\n\\u0001\",\"\":{}}".as_bytes());
    add("json/bad-twice", br#"{"a":1,"\u0061":2}"#);
    add("json/bad-deep", "[".repeat(40).as_bytes());
    add("json/bad-fraction", b"[1.5]");
    let mut forge = Forge::new();
    let release = forge.release_with("production", 3, "1.2.0", |manifest| {
        manifest["native"] =
            json!({ "android": { "min": 3 }, "ios": { "min": "1.2", "max": "2" } });
    });
    forge.policy("production", 2, &[1, 4]);
    let offer = json!({
        "release": release.offer()["release"], "share": 2500, "salt": "0a", "mandatory": true,
        "allow": ["00112233445566778899aabbccddeeff"],
    });
    forge.rollout("production", &[offer, forge::offer(&json!("builtin"))]);
    forge.publish();
    for (role, path, name) in [
        ("production-rollout", "production/rollout.json", "rollout"),
        ("production-releases", "production/policy.json", "policy"),
        ("production-releases", "production/releases/3.json", "manifest"),
    ] {
        let digest = forge.roles[role]["targets"][path]["hashes"]["sha256"].as_str().unwrap();
        let (folder, file) = path.rsplit_once('/').unwrap();
        let bytes = &forge.files[&format!("targets/{folder}/{digest}.{file}")];
        add(&format!("{name}/good"), bytes);
        let mut other: Value = serde_json::from_slice(bytes).unwrap();
        other["schema"] = json!(2);
        add(&format!("{name}/bad-schema"), &text(&other));
    }
    let embed = forge.embed(release, "1.2.0");
    add("embed/good", &text(&embed));
    let mut other = embed;
    other["metadata"]["../up.json"] = json!("{}");
    add("embed/bad-name", &text(&other));
    for method in METHODS {
        let options = match method {
            "attach" => r#"{"nonce":"00112233445566778899aabbccddeeff"}"#,
            "setChannel" => r#"{"channel":"beta"}"#,
            "setHold" => r#"{"until":null}"#,
            "reportFailure" => r#"{"message":"it broke"}"#,
            _ => "{}",
        };
        add(&format!("call/good-{method}"), format!("{method}\n{options}").as_bytes());
    }
    add("call/bad-method", b"eval\n{}");
    add("call/bad-option", b"sync\n{\"from\":\"evil\"}");
    let settings = json!({ "url": "https://updates.example.com/shop", "channel": "production" });
    add("settings/good", &text(&settings));
    add("settings/bad-url", br#"{"url":"file:///","channel":"production"}"#);
}

fn releases(add: Add<'_>) {
    let web = tempfile::tempdir().unwrap();
    for (path, bytes) in BASE {
        fs::write(web.path().join(path), bytes).unwrap();
    }
    fs::write(web.path().join("copy.css"), BASE[2].1).unwrap();
    fs::write(web.path().join("empty"), "").unwrap();
    let index = index_folder(web.path()).unwrap();
    let (layout, _) = write_pack(web.path(), &index, None, &mut Vec::new()).unwrap();
    let (index, layout) = (index.to_bytes(), layout.to_bytes().unwrap());
    add("index/good", &index);
    add("index/bad-order", &[&index[..], &index[14..]].concat());
    add("layout/good", &[&index[..], &layout].concat());
    add("layout/bad-empty", &[&index[..], &[1, 0, 0]].concat());
    // Behind spelling, filler and the number of frames.
    let mut other = layout.clone();
    other[3] = 2;
    add("layout/bad-coding", &[&index[..], &other].concat());
    add("layout/bad-behind", &[&index[..], &layout, &[0; 16]].concat());
    let (blob, bytes) = small_blob(&index, Object::Index, None).unwrap();
    let length = u16::try_from(blob.decoded).unwrap();
    let zstd = zstd::bulk::compress(&index, 19).unwrap();
    for (coding, bytes) in [("brotli", bytes), ("zstd", zstd)] {
        let said = |coding: &str, length: u16| {
            [&coding.as_bytes()[..1], &length.to_be_bytes(), &bytes].concat()
        };
        add(&format!("blob/good-{coding}"), &said(coding, length));
        add(&format!("blob/bad-length-{coding}"), &said(coding, length - 1));
        add(&format!("blob/bad-behind-{coding}"), &[&said(coding, length), &b"more"[..]].concat());
        let other = if coding == "zstd" { "brotli" } else { "zstd" };
        add(&format!("blob/bad-{other}-of-{coding}"), &said(other, length));
    }
    // The window of the first is 2^24, that of the second 2^30, which only encoders know.
    add("blob/bad-window", b"b\0\0\x0f\x03");
    add("blob/bad-large-window", b"b\0\0\x11\x1e\x03");

    let new: Vec<(&str, Vec<u8>)> = vec![
        ("app.js", [BASE[0].1, b"export const evening = 'good evening';\n"].concat()),
        ("new.txt", b"a file that was not there before\n".to_vec()),
        ("old.css", BASE[2].1.to_vec()),
    ];
    let file = |(path, bytes): &(&str, Vec<u8>)| File {
        path: (*path).to_owned(),
        length: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    let new_index = Index::new(new.iter().map(file).collect()).unwrap();
    let part = |bytes: &[u8], from: u64, to: u64| bytes[from as usize..to as usize].to_vec();
    let old_bytes = |file: &File, from, to| {
        let (_, bytes) = BASE.iter().find(|(path, _)| *path == file.path).unwrap();
        Ok(part(bytes, from, to))
    };
    let new_bytes = |file: &File, from, to| {
        let (_, bytes) = new.iter().find(|(path, _)| *path == file.path).unwrap();
        Ok(part(bytes, from, to))
    };
    let base = Bundle { index: &BASE_INDEX, read: &old_bytes };
    let draft = Draft::new(base, Bundle { index: &new_index, read: &new_bytes }).unwrap();
    let patch = make(&[draft], 1, &|_| {}).unwrap().remove(0);
    add("patch/good", &patch);
    add("patch/bad-end", &patch[..patch.len() - 1]);
    add("patch/bad-behind", &[&patch[..], b"more"].concat());

    let mut object = [&7_u64.to_be_bytes()[..], b"content"].concat();
    object.resize(1024, 0);
    add("sealed/good", &object);
    object[1000] = 1;
    add("sealed/bad-padding", &object);
    object[0] = 1;
    add("sealed/bad-length", &object);
}

fn storage(add: Add<'_>) {
    let disk = MemoryDisk::new();
    Store::new(Arc::new(disk.clone())).boot(&storage::context());
    let slots = ["record.0", "record.1"].map(|slot| disk.read(slot, 1 << 16).unwrap());
    let slot = slots.into_iter().flatten().next().unwrap();
    add("record/good", &slot[65..]);
    let mut other: Value = serde_json::from_slice(&slot[65..]).unwrap();
    other["schema"] = json!(2);
    add("record/bad-schema", &text(&other));
    let native = storage::context().native;
    let tombstone = Tombstone { reason: Reason::NotReady, native };
    add("marks/good-tombstone", &compact(&tombstone).unwrap());
    add("marks/bad-tombstone", b"||-|");
    let mut apk = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (path, method) in [
        ("index.html", zip::CompressionMethod::Stored),
        ("app.js", zip::CompressionMethod::Deflated),
    ] {
        let name = format!("assets/public/{path}");
        apk.start_file(name, options.compression_method(method)).unwrap();
        apk.write_all(BASE[1].1).unwrap();
    }
    let apk = apk.finish().unwrap().into_inner();
    add("apk/good", &apk);
    add("apk/bad-end", &apk[..apk.len() - 8]);
    // What the directory states of the first entry (APPNOTE 4.3.12).
    let directory = apk.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    for (name, at, byte) in [
        ("encrypted", 8, 1),
        ("method", 10, 12),
        ("checksum", 16, 0),
        ("length", 24, 0),
        ("place", 42, 1),
    ] {
        let mut changed = apk.clone();
        changed[directory + at] = byte;
        add(&format!("apk/bad-{name}"), &changed);
    }
}

fn words(add: Add<'_>) {
    add("path/good", "assets/img/größe @2x.png".as_bytes());
    for (name, path) in
        [("climbs", "a/../../b"), ("absolute", "/a"), ("windows", "C:\\a"), ("dot", ".")]
    {
        add(&format!("path/bad-{name}"), path.as_bytes());
    }
    add("pattern/good-stars", b"production/*/?.json\nproduction/releases/7.json");
    add("pattern/good-many", b"*a*b*a*\nxxaxxbxxaxx");
    add("pattern/bad-slash", b"production/*\nproduction/releases/7.json");
    add("pattern/bad-end", b"*a*b\nab/");
    let digest = Digest::of(b"").to_string();
    let all =
        format!("com.example.shop\nproduction\n2026-11-24T10:00:00Z\n{digest}\n1.2.3\n1.10\n");
    add("names/good", all.as_bytes());
    add("names/bad", "ä\n?\n2026-13-41T25:61:61Z\n".as_bytes());
}
