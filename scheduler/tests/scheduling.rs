//! Schedulers from outside: a cluster in memory, evaluations, plans that are applied.

#![allow(clippy::unwrap_used)]

mod scheduling {
    pub(crate) mod support;

    mod every_node;
    mod explaining;
    mod placement;
    mod preemption;
    mod properties;
    mod quotas;
    mod rescheduling;
    mod rollouts;
    mod steady;
    mod volumes;
}
