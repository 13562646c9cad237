//! BGP-4 without I/O.
