//! Text to syntax tree, and where in the text a piece of the tree stands.

use std::ops::Range;

use hcl_edit::{
    Span,
    expr::Expression,
    structure::{Block, Body},
    template::Element,
};

use crate::{
    diagnostic::{Diagnostic, Source},
    scan,
};

/// The largest job file, in bytes.
pub const MAX_SOURCE_BYTES: usize = 1 << 20;

pub(crate) fn parse_body(source: &Source) -> Result<Body, Diagnostic> {
    check_size(source)?;
    scan::check(source)?;
    hcl_edit::parser::parse_body(source.text()).map_err(|error| syntax_error(source, &error))
}

pub(crate) fn parse_expression(source: &Source) -> Result<Expression, Diagnostic> {
    check_size(source)?;
    scan::check(source)?;
    hcl_edit::parser::parse_expr(source.text()).map_err(|error| syntax_error(source, &error))
}

fn check_size(source: &Source) -> Result<(), Diagnostic> {
    if source.text().len() > MAX_SOURCE_BYTES {
        return Err(Diagnostic::general(
            "Job file too large",
            format!("The text has {} bytes; at most {MAX_SOURCE_BYTES} are read.", source.text().len()),
        ));
    }
    Ok(())
}

fn syntax_error(source: &Source, error: &hcl_edit::parser::Error) -> Diagnostic {
    let start = error.location().offset();
    let end = source.slice(start..source.text().len()).chars().next().map_or(start, |c| start + c.len_utf8());
    let message = error.message().replace('\n', "; ");
    source.error(start..end, "Invalid syntax", format!("Here the text cannot be read: {message}."))
}

/// The whole of a node.
pub(crate) fn span(node: &impl Span) -> Range<usize> {
    node.span().unwrap_or(0..0)
}

/// The place that an error about the value of an expression points at: its first token.
pub(crate) fn start_span(expr: &Expression) -> Range<usize> {
    let whole = span(expr);
    match expr {
        Expression::Array(_) | Expression::Object(_) | Expression::ForExpr(_) => whole.start..whole.start + 1,
        Expression::String(_) => {
            // Without the quotes.
            whole.start + 1..whole.end.saturating_sub(1).max(whole.start + 1)
        }
        Expression::StringTemplate(template) => template_start(template.iter().next(), whole),
        Expression::HeredocTemplate(heredoc) => template_start(heredoc.template.iter().next(), whole),
        Expression::Traversal(traversal) => start_span(&traversal.expr),
        Expression::FuncCall(call) => call_span(call),
        Expression::Parenthesis(inner) => start_span(inner.inner()),
        Expression::Conditional(conditional) => start_span(&conditional.cond_expr),
        Expression::BinaryOp(operation) => start_span(&operation.lhs_expr),
        Expression::UnaryOp(_) => whole.start..whole.start + 1,
        Expression::Null(_) | Expression::Bool(_) | Expression::Number(_) | Expression::Variable(_) => whole,
    }
}

/// The name of a function and the parenthesis after it.
pub(crate) fn call_span(call: &hcl_edit::expr::FuncCall) -> Range<usize> {
    let name = span(&call.name.name);
    name.start..name.end + 1
}

fn template_start(first: Option<&Element>, whole: Range<usize>) -> Range<usize> {
    match first {
        Some(Element::Literal(literal)) => literal.span().unwrap_or(whole),
        Some(Element::Interpolation(interpolation)) => start_span(&interpolation.expr),
        Some(Element::Directive(_)) | None => whole,
    }
}

/// The type and labels of a block, up to its brace.
pub(crate) fn header_span(block: &Block) -> Range<usize> {
    let start = span(&block.ident).start;
    let end = block.labels.last().map_or_else(|| span(&block.ident).end, |label| span(label).end);
    start..end
}

/// The opening brace of a block.
pub(crate) fn brace_span(source: &Source, block: &Block) -> Range<usize> {
    let header = header_span(block);
    let brace = source.slice(header.end..source.text().len()).find('{').map_or(header.end, |at| header.end + at);
    brace..brace + 1
}
