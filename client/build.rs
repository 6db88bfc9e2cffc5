//! Builds the supervisor (`shim/`), a static program that the client carries inside itself and runs beside each `raw_exec` task.

use std::{env, path::PathBuf, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let output = PathBuf::from(variable("OUT_DIR")).join("drover-shim");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["shim/main.rs", "--crate-name", "drover_shim", "--crate-type", "bin", "--edition", "2024", "--target"])
        .arg(variable("TARGET"));
    for option in
        ["opt-level=s", "panic=abort", "lto=fat", "codegen-units=1", "strip=symbols", "relocation-model=static", "overflow-checks=off"]
    {
        rustc.args(["-C", option]);
    }
    for argument in
        ["-nostartfiles", "-nostdlib", "-static", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,norelro", "-Wl,-z,noseparate-code"]
    {
        rustc.args(["-C", &format!("link-arg={argument}")]);
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.args(["-C", &format!("linker={linker}")]);
    }
    rustc.arg("-o").arg(&output);
    let status = rustc.status().unwrap_or_else(|error| panic!("rustc cannot be run: {error}"));
    assert!(status.success(), "the supervisor in client/shim does not build: {status}");
}
