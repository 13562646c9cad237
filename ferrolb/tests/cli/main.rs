//! The binary as users run it: real processes, real files, real TCP on loopback.

mod actions;
mod answers;
#[path = "../support/api.rs"]
mod api;
mod ask;
mod asked;
#[path = "../support/baseline.rs"]
mod baseline;
#[cfg(feature = "bundle")]
mod bundle;
mod check;
mod decode;
mod documentation;
mod drain;
mod errors;
mod explain;
mod follow;
mod generated;
mod health;
mod lab;
mod looking_glass;
#[cfg(feature = "manual")]
mod manual;
mod memory;
mod metallb;
mod one_truth;
mod options;
mod packaging;
#[path = "../support/pages.rs"]
mod pages;
mod paths;
#[path = "../support/ports.rs"]
mod ports;
mod process_answers;
mod questions;
mod renamed;
mod run;
mod sent;
mod skew;
mod strangers;
mod world;
