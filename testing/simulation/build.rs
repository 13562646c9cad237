//! Tells the compiler that `cfg(tokio_unstable)`, which scripts/simulate sets, is no misspelling.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(tokio_unstable)");
}
