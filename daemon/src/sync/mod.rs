//! The decisions of nbsync, without IO and without clocks.

#![deny(clippy::disallowed_methods)]
