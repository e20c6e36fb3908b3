//! Drives the real binary the way users do.
