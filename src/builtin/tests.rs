use std::fs;
use std::io::Write;

use zip::write::SimpleFileOptions;

use super::*;
use crate::error::Error;
use crate::release::File as Listed;
use crate::unpack::Contents;

fn app() -> AppId {
    "com.example.shop".parse().unwrap()
}

fn index() -> Index {
    let file = |path: &str, bytes: &[u8]| Listed {
        path: path.to_owned(),
        length: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    Index::new(vec![file("index.html", b"hello"), file("a/app.js", &[7; 5000])]).unwrap()
}

fn embed() -> Vec<u8> {
    let index = String::from_utf8(index().to_bytes()).unwrap();
    let text = serde_json::json!({
        "schema": 1, "app": app(), "channel": "production", "sequence": 4, "version": "1.0.0",
        "manifest": Digest::of(b"m"), "index": index,
        "metadata": { "timestamp.json": "{\"signed\":{}}" },
    });
    text.to_string().into_bytes()
}

/// The same files in a folder and in an APK, stored and deflated.
fn both(files: &[(&str, &[u8])]) -> (tempfile::TempDir, [Builtin; 2]) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("public");
    let mut zip = zip::ZipWriter::new(File::create(home.path().join("app.apk")).unwrap());
    for (at, (path, bytes)) in files.iter().enumerate() {
        let place = folder.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
        let method = [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated][at % 2];
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{APK_PREFIX}{path}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    let apk = Apk::open(&home.path().join("app.apk"), APK_PREFIX).unwrap();
    (home, [Builtin::Folder(folder), Builtin::Apk(apk)])
}

fn content(builtin: &Builtin, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let poured =
        builtin.contents(&index()).pour(&Digest::of(bytes), bytes.len() as u64, &mut |b| {
            found.extend_from_slice(b);
            Ok(())
        });
    poured.unwrap().then_some(found)
}

#[test]
fn a_folder_and_an_apk_tell_the_same() {
    let embed = embed();
    let files: [(&str, &[u8]); 4] = [
        ("index.html", b"hello"),
        ("a/app.js", &[7; 5000]),
        (EMBED_FILE, &embed),
        ("cordova.js", b"added by the shell"),
    ];
    let (_home, builtins) = both(&files);
    for builtin in &builtins {
        let embed = builtin.embed(&app()).unwrap();
        assert_eq!((embed.sequence, embed.version.as_str()), (4, "1.0.0"));
        assert_eq!(embed.parsed_index().unwrap(), index());
        assert_eq!(embed.seed()["timestamp.json"], b"{\"signed\":{}}");
        assert_eq!(content(builtin, b"hello").as_deref(), Some(&b"hello"[..]));
        assert_eq!(content(builtin, &[7; 5000]), Some(vec![7; 5000]));
        assert_eq!(content(builtin, b"added by the shell"), None, "no part of the release");
    }
}

#[test]
fn a_file_that_the_shell_dropped_or_made_longer_is_not_there() {
    let (_home, builtins) = both(&[("index.html", b"hello, and more")]);
    for builtin in &builtins {
        assert_eq!(content(builtin, b"hello"), None);
        assert_eq!(content(builtin, &[7; 5000]), None);
        assert!(builtin.embed(&app()).is_none());
    }
}

#[test]
fn a_description_that_makes_no_sense_counts_as_none() {
    let good = String::from_utf8(embed()).unwrap();
    for bad in [
        good.replace("com.example.shop", "com.example.other"),
        good.replace("\"schema\":1", "\"schema\":2"),
        good.replace("timestamp.json", "../timestamp.json"),
        good[..good.len() - 1].to_owned(),
        String::new(),
    ] {
        let (_home, builtins) = both(&[(EMBED_FILE, bad.as_bytes())]);
        assert!(builtins.iter().all(|builtin| builtin.embed(&app()).is_none()), "{bad}");
    }
}

#[test]
fn a_file_that_is_no_zip_is_a_configuration_error() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("app.apk");
    fs::write(&path, b"not a zip").unwrap();
    assert!(matches!(Apk::open(&path, APK_PREFIX), Err(Error::Config(_))));
}
