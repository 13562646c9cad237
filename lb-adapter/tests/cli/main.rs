//! The binary as its users meet it: real processes, real files, real TCP on loopback.

mod ask;
mod check;
mod decode;
mod documentation;
mod errors;
mod follow;
mod health;
mod lab;
mod memory;
mod metallb;
mod options;
mod questions;
mod run;
mod strangers;
mod world;
