//! Laws of the codec under random input, and real messages where they are at hand.

mod captures;
mod hostile;
mod roundtrip;
mod strategies;
mod stream;
