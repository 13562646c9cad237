//! FerroLB.
