//! Laws of the codec under random input, and real messages where they are at hand.

mod bmp;
mod hostile;
mod recordings;
mod roundtrip;
mod strategies;
mod stream;
mod vulnerabilities;
