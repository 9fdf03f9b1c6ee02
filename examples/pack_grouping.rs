//! Measures how many files should share a frame of a pack (ADR 1).
//!
//! ```text
//! cargo run --release --all-features --example pack_grouping -- APP/OLD APP/NEW [APP/OLD APP/NEW]…
//! ```
//! Each pair is two consecutive versions of one web folder. Prints for each frame size the whole
//! pack, and what a device with the old version would fetch by ranges: the frames that hold a
//! content it lacks, the layout and the index.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::collections::HashSet;
use std::error::Error;
use std::io::Write;
use std::path::Path;

use farad::release::Index;
use farad::release::pack::{Grouping, index_folder, small_blob, write_pack_grouped};
use farad::seal::Object;

/// Largest file that shares a frame with its neighbours, and largest such frame, in KiB; the same of
/// kin.
const GROUPINGS: [[u64; 4]; 7] = [
    [0, 0, 0, 0],
    [2, 64, 0, 0],
    [2, 16, 0, 0],
    [2, 16, 16, 64],
    [2, 16, 64, 256],
    [2, 16, 256, 1024],
    [2, 64, 64, 256],
];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    println!(
        "pair | small, frame; kin, frame KiB | frames | pack | of zip -9 | ranges with layout and index"
    );
    for pair in args.chunks(2) {
        let [old, new] = pair else { return Err("versions come in pairs".into()) };
        measure(Path::new(old), Path::new(new))?;
    }
    Ok(())
}

fn measure(old: &Path, new: &Path) -> Result<(), Box<dyn Error>> {
    let (before, after) = (index_folder(old)?, index_folder(new)?);
    let zip = zipped(new, &after)?;
    let has: HashSet<_> = before.files().iter().map(|file| file.sha256).collect();
    let index = small_blob(&after.to_bytes(), Object::Index, None)?.0.length;
    for sizes in GROUPINGS {
        let [small, frame, kin, kin_frame] = sizes.map(|size| size << 10);
        let grouping = Grouping { small, frame, kin, kin_frame };
        let (layout, pack) = write_pack_grouped(new, &after, None, &mut std::io::sink(), grouping)?;
        let lacking = |at: &usize| after.files().get(*at).is_some_and(|f| !has.contains(&f.sha256));
        let wanted = layout.frames().iter().filter(|frame| frame.files.iter().any(lacking));
        let ranges: u64 = wanted.map(|frame| frame.length).sum();
        let layout_bytes = small_blob(&layout.to_bytes()?, Object::Layout, None)?.0.length;
        println!(
            "{} | {sizes:?} | {} | {} | {:.1} % | {}",
            new.display(),
            layout.frames().len(),
            pack.length,
            100.0 * pack.length as f64 / zip as f64,
            ranges + layout_bytes + index,
        );
    }
    Ok(())
}

/// Bytes of the folder as `zip -9`.
fn zipped(folder: &Path, index: &Index) -> Result<usize, Box<dyn Error>> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9));
    for file in index.files() {
        zip.start_file(file.path.as_str(), options)?;
        zip.write_all(&std::fs::read(folder.join(&file.path))?)?;
    }
    Ok(zip.finish()?.into_inner().len())
}
