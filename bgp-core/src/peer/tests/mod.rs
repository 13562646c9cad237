//! Behaviour of two peers that speak to each other, without a socket.

mod collision;
mod net;
mod routes;
mod session;
