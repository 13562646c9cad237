//! Laws of the codec under random input, and real messages where they are at hand.

mod hostile;
mod roundtrip;
mod strategies;
mod stream;
