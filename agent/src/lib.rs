//! Drover agent.
