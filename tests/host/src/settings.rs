//! What Capacitor itself remembers: the path that a page asked its WebView plugin to persist, and the
//! native version that this was under.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::app::App;
use crate::files::Files;
use crate::routes::Platform;

const PATH: &str = "serverBasePath";
const BUILD: &str = "lastBinaryVersionCode";

/// Android's `CapWebViewSettings`, iOS's `KeyValueStore`.
#[derive(Debug, Clone)]
pub struct Settings {
    platform: Platform,
    file: PathBuf,
    snapshots: PathBuf,
    build: Value,
}

impl Settings {
    /// Those of an installed app.
    #[must_use]
    pub fn of(app: &App) -> Self {
        Self {
            platform: app.platform,
            file: app.home.join("capacitor-settings.json"),
            snapshots: app.home.join("Library/NoCloud/ionic_built_snapshots"),
            build: app.build.into(),
        }
    }

    /// The persisted folder that this start may use; asking notes a new native version and drops
    /// what was persisted under the old one.
    #[must_use]
    pub fn persisted(&self) -> Option<Files> {
        let mut kept = self.read();
        if kept.get(BUILD) != Some(&self.build) {
            kept.insert(BUILD.to_owned(), self.build.clone());
            kept.remove(PATH);
            self.write(&kept);
        }
        let path = kept.get(PATH).and_then(Value::as_str).filter(|path| !path.is_empty())?;
        let folder = match self.platform {
            Platform::Android => PathBuf::from(path),
            // Containers move, so iOS keeps the last part alone.
            Platform::Ios => self.snapshots.join(Path::new(path).file_name()?),
        };
        folder.exists().then_some(Files::Folder(folder))
    }

    /// Persists a path; none is the built-in bundle's.
    pub fn persist(&self, folder: Option<&Path>) {
        let mut kept = self.read();
        let path = folder.map(|folder| folder.display().to_string()).unwrap_or_default();
        kept.insert(PATH.to_owned(), path.into());
        self.write(&kept);
    }

    fn read(&self) -> Map<String, Value> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// At once or not at all, as both platforms write theirs.
    fn write(&self, kept: &Map<String, Value>) {
        let new = self.file.with_extension("new");
        fs::write(&new, Value::Object(kept.clone()).to_string()).unwrap();
        fs::rename(new, &self.file).unwrap();
    }
}
