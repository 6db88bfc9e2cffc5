//! Drover server.
