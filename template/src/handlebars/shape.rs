//! What a template may look like, checked before and after the crate has read it.

use ::handlebars::template::{Template, TemplateElement};

use super::{STEP, parse_error};
use crate::engine::Error;
use crate::limits::PARSE_DEPTH;

/// Reads a template, and puts a count at the start of each block's body.
pub(super) fn compile(text: &str) -> Result<Template, Error> {
    check_depth(text)?;
    let mut template = Template::compile(text).map_err(|error| {
        let line = error.pos().map_or(1, |(line, _)| line);
        parse_error(&error.reason().to_string(), line)
    })?;
    count_rounds(&mut template)?;
    Ok(template)
}

/// The crate's parser is recursive: what is nested too deep is refused before it sees it.
fn check_depth(text: &str) -> Result<(), Error> {
    let mut blocks = 0usize;
    let mut rest = text;
    let mut line = 1;
    while let Some(open) = rest.find("{{") {
        line += rest[..open].matches('\n').count();
        let inside = rest[open..].trim_start_matches(['{', '~']);
        if inside.starts_with(['#', '^']) {
            blocks += 1;
        } else if inside.starts_with('/') {
            blocks = blocks.saturating_sub(1);
        }
        let end = inside.find("}}").unwrap_or(inside.len());
        let (mut brackets, mut deepest) = (0usize, 0usize);
        for byte in inside[..end].bytes() {
            match byte {
                b'(' | b'[' | b'{' => brackets += 1,
                b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(brackets);
        }
        if blocks > PARSE_DEPTH || deepest > PARSE_DEPTH {
            return Err(parse_error(&format!("blocks or parentheses nested more than {PARSE_DEPTH} deep"), line));
        }
        rest = &inside[end..];
    }
    Ok(())
}

/// Blocks may be loops, so each of their rounds is counted: an empty body in nested loops would run for ever without writing or calling
/// anything.
fn count_rounds(template: &mut Template) -> Result<(), Error> {
    for (index, element) in template.elements.iter_mut().enumerate() {
        let line = template.mapping.get(index).map_or(1, |mapping| mapping.0);
        match element {
            TemplateElement::HelperBlock(block) => {
                for body in [&mut block.template, &mut block.inverse].into_iter().flatten() {
                    count_rounds(body)?;
                    prepend_step(body);
                }
            }
            TemplateElement::DecoratorExpression(_)
            | TemplateElement::DecoratorBlock(_)
            | TemplateElement::PartialExpression(_)
            | TemplateElement::PartialBlock(_) => {
                return Err(parse_error("partials and decorators are not available in task templates", line));
            }
            _ => {}
        }
    }
    Ok(())
}

fn prepend_step(body: &mut Template) {
    let Ok(mut step) = Template::compile("{{{step}}}") else { return };
    let (Some(mut element), Some(mapping)) = (step.elements.pop(), step.mapping.pop()) else { return };
    if let TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) = &mut element {
        helper.name = ::handlebars::template::Parameter::Name(STEP.to_owned());
    }
    body.elements.insert(0, element);
    let mapping = body.mapping.first().cloned().unwrap_or(mapping);
    body.mapping.insert(0, mapping);
}
