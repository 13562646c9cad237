//! The binary `ferrolb`.

fn main() {}
