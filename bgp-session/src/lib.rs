//! An embeddable BGP-4 speaker on tokio.
