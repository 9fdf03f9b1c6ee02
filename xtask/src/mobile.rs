//! `cargo xtask mobile-check`: the core for phones, built without the makers' kits.
//!
//! Enters: the library's source, Debian's Rust with its own source, clang, and headers of ours
//! (`xtask/headers`). Leaves: for three kinds of Android phones and for iOS, whether it builds with
//! link-time optimisation, names nothing of the system that is not on a list (`tests/mobile`), gives
//! what the bindings call and nothing else, and is aligned for pages of 16 KB; its sizes, part by
//! part; and the core's own tests, run as a phone's processor would. What lacks a tool is skipped, by
//! name. The libraries are linked against empty stand-ins of the system's: they are not for phones.
//! `cargo xtask android` and `cargo xtask ios` make those.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::{self, Kind};
use crate::count::Count;
use crate::debian::{self, EMULATED, cargo, folder};
use crate::phone::{self, LARGEST, PROFILE};
use crate::shell::{self, Result, command, output, root, run_lines};
use crate::trixie::is_there;

/// What every phone is checked for.
const CHECKS: u64 = 6;

/// A kind of phone.
struct Phone {
    name: &'static str,
    /// As Rust calls it.
    target: &'static str,
    /// As clang calls it.
    clang: &'static str,
    kind: Kind,
}

const PHONES: [Phone; 4] = [
    Phone {
        name: "Android, arm64",
        target: "aarch64-linux-android",
        clang: "aarch64-linux-android24",
        kind: Kind::Elf,
    },
    Phone {
        name: "Android, arm",
        target: "armv7-linux-androideabi",
        clang: "armv7-linux-androideabi24",
        kind: Kind::Elf,
    },
    Phone {
        name: "Android, x86-64",
        target: "x86_64-linux-android",
        clang: "x86_64-linux-android24",
        kind: Kind::Elf,
    },
    Phone {
        name: "iOS, arm64",
        target: "aarch64-apple-ios",
        clang: "arm64-apple-ios15.0",
        kind: Kind::MachO,
    },
];

/// Checks every phone, or those whose target is named; `write` writes the lists instead of comparing.
pub(crate) fn run(targets: &[String], write: bool) -> Result<()> {
    let wanted = |target: &str| targets.is_empty() || targets.iter().any(|named| named == target);
    let phones: Vec<_> = PHONES.iter().filter(|phone| wanted(phone.target)).collect();
    let mut count = Count::default();
    match Tools::find() {
        Ok(tools) => {
            for phone in phones {
                println!("== {}", phone.name);
                phone.check(&tools, write, &mut count);
            }
        }
        Err(missing) => count.skip(CHECKS * phones.len() as u64, &missing),
    }
    if wanted(EMULATED) {
        println!("== the core's tests, as arm64");
        match debian::emulates() {
            Ok(()) => run_lines(&mut tests(), |line| count.read(line))?,
            Err(missing) => count.skip(1, &missing),
        }
    }
    count.close()
}

/// Compilers, and what reads their work.
struct Tools {
    clang: String,
    lld: String,
    /// Apple's linker, of the same package.
    ld64: String,
    llvm: String,
}

impl Tools {
    fn find() -> Result<Self> {
        debian::is_installed()?;
        let newest = (17..40).rev().find(|version| is_there(&format!("clang-{version}")));
        let version = newest.ok_or("there is no clang: install clang-N, lld-N and llvm-N")?;
        let tool = |name: &str| {
            let tool = format!("{name}-{version}");
            let missing =
                || format!("there is no {tool}: install lld-{version} and llvm-{version}");
            is_there(&tool).then(|| tool.clone()).ok_or_else(missing)
        };
        tool("llvm-readelf")?;
        Ok(Self {
            clang: tool("clang")?,
            lld: tool("ld.lld").map(|_| format!("lld-{version}"))?,
            ld64: tool("ld64.lld")?,
            llvm: version.to_string(),
        })
    }

    fn llvm(&self, name: &str, args: &[&str], file: &Path) -> Command {
        let mut llvm = command(&format!("llvm-{name}-{}", self.llvm), args);
        llvm.arg(file);
        llvm
    }
}

impl Phone {
    fn check(&self, tools: &Tools, write: bool, count: &mut Count) {
        let built = self.build(tools);
        let (library, linked) = match built {
            Ok(built) => built,
            Err(why) => {
                count.check("it builds", Err(why));
                return count.skip(CHECKS - 1, "nothing was built");
            }
        };
        count.check("it builds", Ok(()));
        count.check(
            "link-time optimisation is on",
            is_optimised(&folder().join(self.target).join(PROFILE)),
        );
        count.check("it asks the system for nothing new", self.undefined(tools, &linked, write));
        count.check(
            "it gives what the bindings call, and nothing else",
            self.exports(tools, &linked),
        );
        let fits = match self.kind {
            Kind::Elf => binary::read(&linked).and_then(|elf| elf.aligned(16384)),
            Kind::MachO => self.privacy(tools, &linked),
        };
        let what = match self.kind {
            Kind::Elf => "it is aligned for pages of 16 KB",
            Kind::MachO => "the privacy manifest names what needs a reason",
        };
        count.check(what, fits);
        count.check("it is small enough", self.size(tools, &library, &linked));
    }

    /// What cargo makes of it, and that linked as an app would.
    fn build(&self, tools: &Tools) -> Result<(PathBuf, PathBuf)> {
        let Self { target, clang, kind, .. } = self;
        let name = target.replace('-', "_");
        let stubs = folder().join("stubs").join(target);
        fs::create_dir_all(&stubs).map_err(|error| error.to_string())?;
        let crate_type = if *kind == Kind::Elf { "cdylib" } else { "staticlib" };
        let mut cargo = cargo("rustc", target);
        phone::select(&mut cargo, crate_type);
        phone::standard_library(&mut cargo);
        cargo.arg("--quiet");
        let headers = root().join("xtask/headers");
        cargo.env(format!("CC_{name}"), &tools.clang);
        cargo.env(format!("AR_{name}"), format!("llvm-ar-{}", tools.llvm));
        let flags =
            format!("--target={clang} -nostdlibinc -isystem {} {}", headers.display(), phone::C);
        cargo.env(format!("CFLAGS_{name}"), flags);
        let release = folder().join(target).join(PROFILE);
        match kind {
            Kind::Elf => {
                for library in ["c", "m", "dl", "log", "unwind", "gcc"] {
                    self.stub(tools, &stubs, library)?;
                }
                let linker = format!("CARGO_TARGET_{}_LINKER", name.to_uppercase());
                cargo.env(linker, &tools.clang).arg("--");
                for arg in [
                    &format!("--target={clang}"),
                    &format!("-fuse-ld={}", tools.lld),
                    "-nostdlib",
                    "-nostartfiles",
                    &format!("-L{}", stubs.display()),
                ] {
                    cargo.arg(format!("-Clink-arg={arg}"));
                }
                cargo.args(phone::ANDROID);
                shell::run(&mut cargo)?;
                let library = release.join("libfarad.so");
                Ok((library.clone(), library))
            }
            Kind::MachO => {
                // No kit is looked for.
                cargo.env("SDKROOT", &stubs).env("IPHONEOS_DEPLOYMENT_TARGET", "15.0");
                shell::run(&mut cargo)?;
                let (library, linked) = (release.join("libfarad.a"), release.join("farad.dylib"));
                let mut link = command(&tools.ld64, &["-dylib", "-arch", "arm64", "-dead_strip"]);
                link.args(["-platform_version", "ios", "15.0", "18.0"]);
                link.args(["-undefined", "dynamic_lookup"]);
                // What an app's Swift calls keeps the rest alive.
                for name in bindings()? {
                    link.args(["-u", &format!("_{name}")]);
                    link.args(["-exported_symbol", &format!("_{name}")]);
                }
                link.arg("-o").arg(&linked).arg(&library);
                output(&mut link)?;
                Ok((library, linked))
            }
        }
    }

    /// A library of the system that has nothing in it: enough to link against.
    fn stub(&self, tools: &Tools, folder: &Path, library: &str) -> Result<()> {
        let place = folder.join(format!("lib{library}.so"));
        let mut clang = command(&tools.clang, &["-shared", "-nostdlib", "-x", "c", "/dev/null"]);
        clang.arg(format!("--target={}", self.clang)).arg(format!("-fuse-ld={}", tools.lld));
        clang.arg(format!("-Wl,-soname,lib{library}.so")).arg("-o").arg(place);
        output(&mut clang).map(|_| ())
    }

    fn symbols(&self, tools: &Tools, file: &Path, which: &str) -> Result<BTreeSet<String>> {
        let args = match self.kind {
            Kind::Elf => &["--dynamic", "--just-symbol-name", which][..],
            Kind::MachO => &["--extern-only", "--just-symbol-name", which],
        };
        let told = output(&mut tools.llvm("nm", args, file))?;
        let names = told.lines().map(|name| match self.kind {
            // Without the version that the system's library gave it.
            Kind::Elf => name.split('@').next().unwrap_or(name).to_owned(),
            Kind::MachO => name.strip_prefix('_').unwrap_or(name).to_owned(),
        });
        Ok(names.collect())
    }

    fn undefined(&self, tools: &Tools, linked: &Path, write: bool) -> Result<()> {
        let found = self.symbols(tools, linked, "--undefined-only")?;
        let list = root().join(format!("tests/mobile/{}.txt", self.target));
        if write {
            let text: String = found.iter().map(|name| format!("{name}\n")).collect();
            return fs::write(list, text).map_err(|error| error.to_string());
        }
        let text =
            fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
        let known: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        same(&known, &found)
    }

    fn exports(&self, tools: &Tools, linked: &Path) -> Result<()> {
        exports(self.symbols(tools, linked, "--defined-only")?)
    }

    /// Apple wants a reason for functions that could tell devices apart.
    fn privacy(&self, tools: &Tools, linked: &Path) -> Result<()> {
        const REASONS: [(&str, &[&str]); 4] = [
            (
                "NSPrivacyAccessedAPICategoryFileTimestamp",
                &[
                    "fstat",
                    "fstatat",
                    "lstat",
                    "stat",
                    "getattrlist",
                    "getattrlistat",
                    "getattrlistbulk",
                    "fgetattrlist",
                ],
            ),
            (
                "NSPrivacyAccessedAPICategoryDiskSpace",
                &["statfs", "statvfs", "fstatfs", "fstatvfs"],
            ),
            ("NSPrivacyAccessedAPICategorySystemBootTime", &["mach_absolute_time"]),
            ("NSPrivacyAccessedAPICategoryUserDefaults", &["OBJC_CLASS_$_NSUserDefaults"]),
        ];
        let used = self.symbols(tools, linked, "--undefined-only")?;
        let manifest = root().join("ios/Sources/FaradCapacitor/PrivacyInfo.xcprivacy");
        let manifest = fs::read_to_string(manifest).map_err(|error| error.to_string())?;
        for (category, functions) in REASONS {
            let uses = functions.iter().any(|function| used.contains(*function));
            if uses != manifest.contains(category) {
                let verb = if uses { "lacks" } else { "has without need" };
                return Err(format!("it {verb} {category}"));
            }
        }
        Ok(())
    }

    /// Prints the sizes, the whole one as it would be shipped, and refuses what became too large.
    fn size(&self, tools: &Tools, library: &Path, linked: &Path) -> Result<()> {
        let stripped = folder().join(self.target).join("stripped");
        let args = if self.kind == Kind::Elf { "--strip-unneeded" } else { "-x" };
        output(tools.llvm("strip", &[args, "-o"], &stripped).arg(linked))?;
        let size = |path: &Path| fs::metadata(path).map(|file| file.len()).unwrap_or(0);
        let whole = size(&stripped);
        println!("   {} bytes stripped, {} as built", whole, size(library));
        let told = |name: &str, args: &[&str]| output(&mut tools.llvm(name, args, linked));
        let parts = match self.kind {
            Kind::Elf => binary::parts(&told("nm", &["--print-size", "--demangle"])?),
            Kind::MachO => {
                // Which nm does not make readable itself: on Apple's systems an underscore precedes each.
                let symbols = stripped.with_extension("symbols");
                fs::write(&symbols, told("nm", &["--format=darwin"])?)
                    .map_err(|error| error.to_string())?;
                let names = fs::File::open(symbols).map_err(|error| error.to_string())?;
                let program = format!("llvm-cxxfilt-{}", tools.llvm);
                binary::parts_by_place(
                    &output(command(&program, &["--strip-underscore"]).stdin(names))?,
                    &told("size", &["--format=sysv", "--radix=16"])?,
                )
            }
        };
        let mut parts: Vec<_> = parts.into_iter().collect();
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        for (part, bytes) in parts.iter().take(12) {
            println!("   {bytes:>9} {part}");
        }
        if self.target == "aarch64-linux-android" && whole > LARGEST {
            return Err(format!("{whole} bytes are more than {LARGEST}"));
        }
        Ok(())
    }
}

/// Cargo leaves optimisation across crates away without a word where it cannot be had. Where it is on,
/// what it made of a crate is code for the optimiser, and none for a processor.
pub(crate) fn is_optimised(release: &Path) -> Result<()> {
    let entries = fs::read_dir(release.join("deps")).map_err(|error| error.to_string())?;
    let mut crates = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("librustls-") && name.ends_with(".rlib")
    });
    let rustls = crates.next().ok_or("rustls was not built")?;
    let bytes = fs::read(rustls).map_err(|error| error.to_string())?;
    match binary::is_bitcode(&bytes) {
        true => Ok(()),
        false => Err("crates were compiled each by itself".to_owned()),
    }
}

/// The functions that the bindings call: those of their header.
fn bindings() -> Result<BTreeSet<String>> {
    let header = root().join("bindings/swift/FaradFFI.h");
    let header = fs::read_to_string(header).map_err(|error| error.to_string())?;
    let words = header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| {
        (word.starts_with("uniffi_farad_") || word.starts_with("ffi_farad_"))
            && header.contains(&format!(" {word}("))
    });
    Ok(names.map(str::to_owned).collect())
}

/// Holds what a library gives against what the bindings call. There is more that only the bindings'
/// generator reads, and checksums of methods that it calls nowhere.
pub(crate) fn exports(mut given: BTreeSet<String>) -> Result<()> {
    let called = bindings()?;
    given.retain(|name| {
        let read = name.starts_with("UNIFFI_META_") || name.starts_with("uniffi_farad_checksum_");
        called.contains(name) || !read
    });
    same(&called, &given)
}

/// Nothing where both are the same; what differs, else.
fn same(known: &BTreeSet<String>, found: &BTreeSet<String>) -> Result<()> {
    let list = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(", ");
    let (new, gone) =
        (list(found.difference(known).collect()), list(known.difference(found).collect()));
    match (new.as_str(), gone.as_str()) {
        ("", "") => Ok(()),
        _ => Err(format!("new: [{new}], not there any more: [{gone}]")),
    }
}

/// The core's own tests, for another processor.
fn tests() -> Command {
    let mut tests = debian::emulated("test");
    tests.args(["--package", "farad", "--lib", "--features", "publish"]);
    tests
}
