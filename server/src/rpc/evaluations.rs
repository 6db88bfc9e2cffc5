//! Reading evaluations.

use std::{collections::BTreeSet, sync::Arc};

use drover_model::{
    evaluation::Evaluation,
    ids::EvalId,
    rpc::{
        Error, ReadOptions,
        evaluation::{EvaluationAllocations, EvaluationGet, EvaluationList},
    },
    view::{AllocationStub, EvaluationDetail, EvaluationStub},
};

use super::{
    Found,
    page::{ByCreation, in_namespace, page},
};
use crate::state::{IdPrefix, State};

/// The most relatives of one evaluation that are shown.
const MAX_RELATED: usize = 100;

pub(super) fn rows<'a>(
    rows: impl Iterator<Item = &'a Arc<Evaluation>>,
    options: &ReadOptions,
) -> Result<Found<Vec<Arc<Evaluation>>>, Error> {
    let rows = rows.map(|row| (ByCreation(row.create_index, row.id.as_uuid()), row)).collect();
    page(rows, options, |row| Arc::clone(row))
}

pub(super) fn list(state: &State, message: &EvaluationList) -> Result<Found<Vec<Arc<Evaluation>>>, Error> {
    let options = &message.options;
    let wanted = |row: &&Arc<Evaluation>| {
        in_namespace(options, &row.namespace)
            && message.job.as_ref().is_none_or(|job| **job == *row.job_id)
            && message.status.as_ref().is_none_or(|status| status == row.status.as_str())
    };
    if options.prefix.is_empty() {
        return rows(state.evaluations().filter(wanted), options);
    }
    let prefix = IdPrefix::parse(&options.prefix);
    rows(prefix.map(|prefix| state.evaluations_with_prefix(prefix)).into_iter().flatten().filter(wanted), options)
}

pub(super) fn get(state: &State, message: &EvaluationGet) -> Result<Found<Option<EvaluationDetail>>, Error> {
    let Some(evaluation) = state.evaluation(message.id).cloned() else { return Ok(Found::new(None)) };
    let related = if message.related { related(state, &evaluation) } else { Vec::new() };
    let index = Some(evaluation.modify_index);
    Ok(Found::at(Some(EvaluationDetail { evaluation, related }), index))
}

/// Those that led to it or came of it, along their links.
fn related(state: &State, evaluation: &Evaluation) -> Vec<EvaluationStub> {
    let links = |row: &Evaluation| [row.next_eval, row.previous_eval, row.blocked_eval].into_iter().flatten().collect::<Vec<EvalId>>();
    let mut seen = BTreeSet::from([evaluation.id]);
    let mut open = links(evaluation);
    let mut related = Vec::new();
    while let Some(id) = open.pop() {
        if related.len() == MAX_RELATED || !seen.insert(id) {
            continue;
        }
        if let Some(found) = state.evaluation(id) {
            open.extend(links(found));
            related.push(EvaluationStub::from(&**found));
        }
    }
    related
}

pub(super) fn allocations(state: &State, message: &EvaluationAllocations) -> Result<Found<Vec<AllocationStub>>, Error> {
    super::allocations::stubs(state.allocations_of_evaluation(message.id), &message.options, false, true)
}
