//! Arithmetic, comparison, logic and the conditional.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Conditional, UnaryOp, UnaryOperator};

use super::*;
use crate::syntax::start_span;

impl Evaluator<'_> {
    pub(super) fn conditional(&self, conditional: &Conditional, scope: &Scope) -> Value {
        let condition = self.evaluate(&conditional.cond_expr, scope);
        let chosen = match condition {
            Value::Unknown => return Value::Unknown,
            Value::Null => {
                return self.fail(
                    span(&conditional.cond_expr),
                    "Null condition",
                    "The condition value is null. Conditions must either be true or false.",
                );
            }
            value => match value.to_bool() {
                Ok(chosen) => chosen,
                Err(reason) => {
                    return self.fail(
                        span(&conditional.cond_expr),
                        "Incorrect condition type",
                        format!("The condition expression must be of type bool: {reason}."),
                    );
                }
            },
        };
        let (chosen, other) =
            if chosen { (&conditional.true_expr, &conditional.false_expr) } else { (&conditional.false_expr, &conditional.true_expr) };
        let result = self.evaluate(chosen, scope);
        // Both results have one type: a number beside a string is a string.
        if matches!(result, Value::Number(_) | Value::Bool(_)) {
            let (other, _) = self.quietly(|| self.evaluate(other, scope));
            if let (Value::String(_), Ok(text)) = (other, result.to_text()) {
                return Value::String(text);
            }
        }
        result
    }

    pub(super) fn unary(&self, operation: &UnaryOp, scope: &Scope) -> Value {
        let value = self.evaluate(&operation.expr, scope);
        if matches!(value, Value::Unknown) {
            return value;
        }
        let result = match operation.operator.value() {
            UnaryOperator::Neg => value.to_number().map(|number| match number {
                Number::Int(value) => Value::Number(Number::int(-value)),
                Number::Float(value) => Value::Number(Number::float(-value)),
            }),
            UnaryOperator::Not => value.to_bool().map(|value| Value::Bool(!value)),
        };
        result.unwrap_or_else(|reason| {
            self.fail(span(&operation.expr), "Invalid operand", format!("Unsuitable value for unary operand: {reason}."))
        })
    }

    pub(super) fn binary(&self, operation: &BinaryOp, scope: &Scope) -> Value {
        let left = self.affordable(self.evaluate(&operation.lhs_expr, scope), &operation.lhs_expr);
        let right = self.affordable(self.evaluate(&operation.rhs_expr, scope), &operation.rhs_expr);
        if left.is_unknown() || right.is_unknown() {
            return Value::Unknown;
        }
        let operator = *operation.operator.value();
        match operator {
            BinaryOperator::Eq => return Value::Bool(left == right),
            BinaryOperator::NotEq => return Value::Bool(left != right),
            BinaryOperator::And | BinaryOperator::Or => {
                let (Some(left), Some(right)) = (
                    self.operand(left.to_bool(), &operation.lhs_expr, "left"),
                    self.operand(right.to_bool(), &operation.rhs_expr, "right"),
                ) else {
                    return Value::Unknown;
                };
                return Value::Bool(if operator == BinaryOperator::And { left && right } else { left || right });
            }
            _ => {}
        }
        let (Some(left), Some(right)) =
            (self.operand(left.to_number(), &operation.lhs_expr, "left"), self.operand(right.to_number(), &operation.rhs_expr, "right"))
        else {
            return Value::Unknown;
        };
        self.arithmetic(operator, left, right, operation)
    }

    fn operand<T>(&self, value: Result<T, &'static str>, expr: &Expression, side: &str) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(reason) => {
                self.fail(start_span(expr), "Invalid operand", format!("Unsuitable value for {side} operand: {reason}."));
                None
            }
        }
    }

    fn arithmetic(&self, operator: BinaryOperator, left: Number, right: Number, operation: &BinaryOp) -> Value {
        let zero = Number::int(0);
        let result = match operator {
            BinaryOperator::Less => return Value::Bool(left < right),
            BinaryOperator::LessEq => return Value::Bool(left <= right),
            BinaryOperator::Greater => return Value::Bool(left > right),
            BinaryOperator::GreaterEq => return Value::Bool(left >= right),
            BinaryOperator::Plus => left.combine(right, i128::checked_add, |a, b| a + b),
            BinaryOperator::Minus => left.combine(right, i128::checked_sub, |a, b| a - b),
            BinaryOperator::Mul => left.combine(right, i128::checked_mul, |a, b| a * b),
            BinaryOperator::Div | BinaryOperator::Mod if right == zero => {
                return self.fail(span(&operation.rhs_expr), "Division by zero", "A number cannot be divided by zero.");
            }
            BinaryOperator::Div => left.combine(right, |a, b| (a % b == 0).then(|| a / b), |a, b| a / b),
            BinaryOperator::Mod => left.combine(right, i128::checked_rem, |a, b| a % b),
            BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::And | BinaryOperator::Or => None,
        };
        match result {
            Some(number) => Value::Number(number),
            None => self.fail(span(operation), "Operation failed", "The result is too large a number."),
        }
    }
}
