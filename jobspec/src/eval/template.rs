//! Text with `${...}` and `%{...}` in it.

use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, Strip, Template};

use super::*;

/// The longest text that one template may produce.
const MAX_TEXT_BYTES: usize = 4 << 20;

/// Text under construction, in which a marker may have asked for the white space after it to go.
#[derive(Default)]
struct Text {
    text: String,
    strip_next: bool,
}

impl Text {
    fn literal(&mut self, text: &str) {
        let text = if std::mem::take(&mut self.strip_next) { text.trim_start() } else { text };
        self.text.push_str(text);
    }

    fn before(&mut self, strip: Strip) {
        if strip.strip_start() {
            self.text.truncate(self.text.trim_end().len());
        }
        self.strip_next = false;
    }

    fn after(&mut self, strip: Strip) {
        self.strip_next = strip.strip_end();
    }
}

impl Evaluator<'_> {
    pub(super) fn template(&self, template: &Template, scope: &Scope, range: Range<usize>) -> Value {
        // A template that is nothing but one interpolation has that value, whatever its type.
        if template.len() == 1
            && let Some(Element::Interpolation(interpolation)) = template.get(0)
        {
            return self.evaluate(&interpolation.expr, scope);
        }
        let mut text = Text::default();
        if !self.elements(template, scope, &mut text) {
            return Value::Unknown;
        }
        if text.text.len() > MAX_TEXT_BYTES {
            return self.fail(range, "Text too long", format!("A template may produce at most {MAX_TEXT_BYTES} bytes."));
        }
        Value::from(text.text)
    }

    /// Appends the elements; false when one of them failed.
    fn elements(&self, template: &Template, scope: &Scope, text: &mut Text) -> bool {
        let mut fine = true;
        for element in template {
            fine &= match element {
                Element::Literal(literal) => {
                    text.literal(literal);
                    true
                }
                Element::Interpolation(interpolation) => {
                    text.before(interpolation.strip);
                    let value = self.evaluate(&interpolation.expr, scope);
                    let fine = self.interpolate(&value, &interpolation.expr, text);
                    text.after(interpolation.strip);
                    fine
                }
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => self.if_directive(directive, scope, text),
                    Directive::For(directive) => self.for_directive(directive, scope, text),
                },
            };
            if text.text.len() > MAX_TEXT_BYTES {
                return true;
            }
        }
        fine
    }

    fn interpolate(&self, value: &Value, expr: &Expression, text: &mut Text) -> bool {
        let problem = match value {
            Value::Unknown => return false,
            Value::Null => "The expression result is null. Cannot include a null value in a string template.".to_owned(),
            value => match value.to_text() {
                Ok(piece) => {
                    text.text.push_str(&piece);
                    return self.spend(piece.len() / 64, span(expr));
                }
                Err(reason) => format!("Cannot include the given value in a string template: {reason}."),
            },
        };
        self.fail(span(expr), "Invalid template interpolation value", problem);
        false
    }

    fn if_directive(&self, directive: &IfDirective, scope: &Scope, text: &mut Text) -> bool {
        let condition = self.evaluate(&directive.if_expr.cond_expr, scope);
        text.before(directive.if_expr.strip);
        text.after(directive.if_expr.strip);
        let fine = match condition.to_bool() {
            Ok(true) => {
                let fine = self.elements(&directive.if_expr.template, scope, text);
                text.before(directive.else_expr.as_ref().map_or(directive.endif_expr.strip, |other| other.strip));
                fine
            }
            Ok(false) => {
                let mut fine = true;
                if let Some(other) = &directive.else_expr {
                    text.after(other.strip);
                    fine = self.elements(&other.template, scope, text);
                    text.before(directive.endif_expr.strip);
                }
                fine
            }
            Err(reason) => {
                if !matches!(condition, Value::Unknown) {
                    self.fail(
                        span(&directive.if_expr.cond_expr),
                        "Incorrect condition type",
                        format!("The condition expression must be of type bool: {reason}."),
                    );
                }
                false
            }
        };
        text.after(directive.endif_expr.strip);
        fine
    }

    fn for_directive(&self, directive: &ForDirective, scope: &Scope, text: &mut Text) -> bool {
        let head = &directive.for_expr;
        text.before(head.strip);
        let collection = self.evaluate(&head.collection_expr, scope);
        let Some(pairs) = self.pairs(&collection, &head.collection_expr) else { return false };
        let mut fine = true;
        for (key, value) in pairs {
            if !self.spend(1, span(&head.collection_expr)) || text.text.len() > MAX_TEXT_BYTES {
                return false;
            }
            let mut inner = scope.with(head.value_var.value().as_str(), value);
            if let Some(key_var) = &head.key_var {
                inner = inner.with(key_var.value().as_str(), key);
            }
            text.after(head.strip);
            fine &= self.elements(&head.template, &inner, text);
            text.before(directive.endfor_expr.strip);
        }
        text.after(directive.endfor_expr.strip);
        fine
    }
}
