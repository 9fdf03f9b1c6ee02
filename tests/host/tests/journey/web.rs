//! Web apps: the project's sample app by its bundler, and a page without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::publisher::write;

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a page of the plain app does once its scripts are there.
const PLAIN: &str = r#"<!doctype html>
<html>
  <head>
    <meta charset="utf-8" />
    <title>VERSION</title>
    <script src="capacitor.js"></script>
    <script src="plugin.js"></script>
  </head>
  <body>
    <h1>VERSION</h1>
    <script>
      const { Farad } = capacitorFarad;
      const events = [];
      const names = ['downloadProgress', 'updateAvailable', 'updateStaged', 'updateFailed',
        'nativeUpdateRequired', 'rolledBack', 'beforeReload', 'stateChanged'];
      for (const name of names) Farad.addListener(name, (data) => events.push({ name, data }));
      const failure = (error) => ({ code: error.code, data: error.data, text: error.message });
      const settled = (promise) => promise.then((value) => value ?? null, failure);
      BEHAVIOUR
    </script>
  </body>
</html>
"#;

/// Says that it came up.
pub(crate) const READY: &str = "let answer; Farad.ready().then((ready) => { answer = ready; });";
/// Says nothing.
pub(crate) const SILENT: &str = "";
/// Fails before it could say anything.
pub(crate) const THROWS: &str = "throw new Error('broken on purpose');";
/// Takes memory until its renderer dies.
pub(crate) const CRASHES: &str = "const all = []; for (;;) all.push(new Array(100000).fill(all));";
/// Says itself that it is bad.
pub(crate) const REPORTS: &str = "Farad.reportFailure({ message: 'no basket' });";

/// Writes the plain app: Capacitor's and the plugin's scripts as they are published, and one page.
pub(crate) fn plain(folder: &Path, version: &str, behaviour: &str) {
    let page = PLAIN.replace("VERSION", version).replace("BEHAVIOUR", behaviour);
    write(&folder.join("index.html"), page.as_bytes());
    for (name, from) in [
        ("capacitor.js", "node_modules/@capacitor/core/dist/capacitor.js"),
        ("plugin.js", "dist/plugin.js"),
    ] {
        let script = fs::read(root().join(from)).unwrap_or_else(|error| {
            panic!("{from}: {error}; `cargo xtask journey` builds what is needed")
        });
        write(&folder.join(name), &script);
    }
}

/// Builds the sample app; `broken` is its switch.
pub(crate) fn shop(to: &Path, version: &str, broken: &str) {
    let app = root().join("examples/app");
    let built = Command::new("node")
        .args(["node_modules/vite/bin/vite.js", "build", "--logLevel", "error", "--emptyOutDir"])
        .arg("--outDir")
        .arg(to)
        .current_dir(app)
        .env("VITE_APP_VERSION", version)
        .env("VITE_BROKEN", broken)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}; `cargo xtask journey` installs what is needed");
}
