//! `farad-bindgen LIBRARY ROOT OUT`: writes `OUT/kotlin` and `OUT/swift`.
//!
//! Enters: a build of the library that was not stripped of its symbols, and the folder with
//! `uniffi.toml`. Leaves: the bindings, unformatted, so that no tool on the path changes a byte.

use std::process::ExitCode;

use camino::Utf8PathBuf;
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate_with_bindgen_paths};
use uniffi_bindgen::{BindgenPaths, BindgenPathsLayer};

/// There is one crate, and its configuration lies beside its manifest.
struct Root(Utf8PathBuf);

impl BindgenPathsLayer for Root {
    fn get_crate_root(&self, crate_name: &str) -> Option<Utf8PathBuf> {
        (crate_name == "farad").then(|| self.0.clone())
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).map(Utf8PathBuf::from);
    let (Some(library), Some(root), Some(out)) = (args.next(), args.next(), args.next()) else {
        eprintln!("farad-bindgen LIBRARY ROOT OUT");
        return ExitCode::FAILURE;
    };
    for (language, folder) in [(TargetLanguage::Kotlin, "kotlin"), (TargetLanguage::Swift, "swift")]
    {
        let mut paths = BindgenPaths::default();
        paths.add_layer(Root(root.clone()));
        let options = GenerateOptions {
            languages: vec![language],
            source: library.clone(),
            out_dir: out.join(folder),
            crate_filter: Some("farad".to_owned()),
            ..GenerateOptions::default()
        };
        if let Err(error) = generate_with_bindgen_paths(options, paths) {
            eprintln!("farad-bindgen: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
