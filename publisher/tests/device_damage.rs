//! Files of a device that grew, as a damaged file system leaves them: no start and no update fails for
//! good because of one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at a surprise")]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;

use support::{Device, Shop, files};

/// A device with everything that a device may have, and the next release at the server.
fn aged(shop: &Shop, phone: &Device<'_>) {
    shop.ok(&["channel", "add", "beta", "--no-passphrase"]);
    shop.release("1.0.0", 1);
    assert_eq!(phone.update()["version"], "1.0.0");
    // A trial that was started once, so that there are marks.
    shop.release("1.1.0", 2);
    phone.does("sync");
    phone.does("boot");
    shop.release("1.2.0", 3);
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let place = to.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }
}

/// What the device runs after it had every chance: two syncs, each with a start that came up.
fn ends_on(phone: &Device<'_>) -> serde_json::Value {
    phone.boot_ready();
    let _ = phone.shop.run(&phone.args(&["sync"]));
    phone.boot_ready();
    phone.does("sync");
    phone.boot_ready();
    phone.boot_ready()["version"].clone()
}

#[test]
fn a_file_that_grew_stops_nothing_for_good() {
    let shop = Shop::new();
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    aged(&shop, &phone);
    let mut tried = 0;
    for path in files(&shop.path("phone")).keys() {
        let name = format!("phone-{tried}");
        copy(&shop.path("phone"), &shop.path(&name));
        let mut file =
            fs::OpenOptions::new().append(true).open(shop.path(&name).join(path)).unwrap();
        file.write_all(&[b'x'; 10_000]).unwrap();
        assert_eq!(ends_on(&shop.device(&server, &name)), "1.2.0", "{}", path.display());
        fs::remove_dir_all(shop.path(&name)).unwrap();
        tried += 1;
    }
    assert!(tried > 15, "{tried} files");
}

#[test]
fn a_file_in_the_place_of_a_working_folder_stops_nothing_for_good() {
    let shop = Shop::new();
    let server = shop.serve();
    let phone = shop.device(&server, "phone");
    aged(&shop, &phone);
    for folder in ["staging", "trash", "downloads"] {
        let name = format!("phone-{folder}");
        copy(&shop.path("phone"), &shop.path(&name));
        let place = shop.path(&name).join(folder);
        let _ = fs::remove_dir_all(&place);
        fs::write(place, "a file").unwrap();
        assert_eq!(ends_on(&shop.device(&server, &name)), "1.2.0", "{folder}");
    }
}
