//! Schedulers from outside: a cluster in memory, evaluations, plans that are applied.

mod scheduling {
    pub(crate) mod support;

    mod every_node;
    mod placement;
    mod properties;
    mod rescheduling;
    mod rollouts;
    mod steady;
}
