//! Evaluations, and forgetting what has ended.

use drover_model::{
    evaluation::Evaluation,
    ids::{AllocId, EvalId},
};

use super::{Change, Done};

impl Change<'_> {
    pub(super) fn evaluations_upsert(&mut self, evaluations: Vec<Evaluation>) -> Done {
        self.put_evaluations(evaluations);
        Ok(())
    }

    /// Forgets what has ended still; the collector looked at an older state.
    pub(super) fn evaluations_forget(&mut self, evaluations: &[EvalId], allocations: &[AllocId]) -> Done {
        for id in allocations {
            let gone = self.state.allocation(*id).is_some_and(|allocation| {
                // Without its node nobody will ever report the end of a stopped one.
                allocation.is_client_terminal() || (allocation.is_server_terminal() && self.state.node(allocation.node_id).is_none())
            });
            if gone && let Some(allocation) = self.state.remove_allocation(*id) {
                self.remove_services_of(*id);
                self.nodes.insert(allocation.node_id);
                if allocation.holds_resources() {
                    self.unblock_quota_of(&allocation.namespace);
                }
            }
        }
        for id in evaluations {
            if self.state.evaluation(*id).is_some_and(|evaluation| evaluation.status.is_terminal()) {
                self.state.remove_evaluation(*id);
            }
        }
        Ok(())
    }
}
