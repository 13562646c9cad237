//! Whole sessions: over pipes in virtual time, and over TCP on loopback addresses.
//!
//! Nothing here sleeps to wait for something: tests wait for a status, a table or an event, with a
//! deadline that only a failure reaches.

mod bfd;
mod cancelled;
mod collector;
mod collision;
mod events;
mod facts;
mod faults;
mod gathering;
mod listing;
mod logs;
mod loopback;
mod many;
mod md5;
mod memory;
mod operator;
mod pipes;
mod processes;
mod range;
mod recorder;
mod refresh;
mod relay;
mod requests;
mod restart;
mod rpki;
mod scripted;
mod sent;
mod station;
mod strangers;
mod unsendable;
mod virtual_time;
mod world;
