//! Drover integrations.
