//! Sets.

use super::*;

pub(super) const TABLE: &[Function] = &[
    function("setintersection", &["first_set"], Some("other_sets"), intersection),
    function("setproduct", &[], Some("sets"), product),
    function("setunion", &["first_set"], Some("other_sets"), union),
];

/// The largest product of sets, in elements of all its rows.
const MAX_PRODUCT: usize = 100_000;

fn intersection(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut common = arguments.list(0)?.to_vec();
    for at in 1..arguments.len() {
        let other = arguments.list(at)?;
        common.retain(|item| other.contains(item));
    }
    Ok(Value::set(common))
}

fn union(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut all = Vec::new();
    for at in 0..arguments.len() {
        all.extend_from_slice(arguments.list(at)?);
    }
    Ok(Value::set(all))
}

fn product(_: &Environment<'_>, arguments: Arguments<'_>) -> Outcome {
    if arguments.len() < 2 {
        return failure("at least two arguments are required");
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    let mut all_sets = true;
    for at in 0..arguments.len() {
        let items = arguments.list(at)?;
        all_sets &= matches!(arguments.value(at)?, Value::Set(_));
        if rows.len().saturating_mul(items.len()).saturating_mul(at + 1) > MAX_PRODUCT {
            return failure(format!("the product would have more than {MAX_PRODUCT} elements"));
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                items.iter().map(move |item| {
                    let mut longer = row.clone();
                    longer.push(item.clone());
                    longer
                })
            })
            .collect();
    }
    let rows = rows.into_iter().map(Value::list);
    Ok(if all_sets { Value::set(rows) } else { Value::list(rows.collect()) })
}
