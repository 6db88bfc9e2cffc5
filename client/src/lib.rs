//! Drover client.
