//! The publisher's command; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    farad_publisher::cli::run(std::env::args_os())
}
