//! Behaviour of two peers that speak to each other, without a socket.

mod collision;
mod hostile;
mod net;
mod paths;
mod policy;
mod refresh;
mod restart;
mod routes;
mod session;
mod terms;
