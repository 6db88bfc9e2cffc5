//! Drover scheduler.
