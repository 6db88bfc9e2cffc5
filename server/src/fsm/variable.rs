//! Variables and their locks. A lock runs out by itself: whether it still holds is decided by the time inside each command, so that every server decides alike
//! and none has to watch a clock.

use std::sync::Arc;

use drover_model::{
    ids::Name,
    variable::{LockTerms, SealedItems, StoredLock, StoredVariable},
};

use super::{Change, Done, Refusal};

/// The status of a refusal because of a lock, as `variables.rs` knows it again.
pub(crate) const LOCKED: u16 = 423;

/// Namespace and path.
type Key = (Name, Name);

fn locked(message: &str) -> Refusal {
    Refusal::Refused { status: LOCKED, message: message.to_owned() }
}

impl Change<'_> {
    fn variable(&self, (namespace, path): &Key) -> Option<Arc<StoredVariable>> {
        self.state.variable(namespace, path).cloned()
    }

    /// Refuses whoever does not hold the lock, and whoever expected another index.
    fn check_variable(&self, known: Option<&StoredVariable>, check: Option<u64>, holder: &str) -> Done {
        let lock = known.and_then(|known| known.lock.as_ref()).filter(|lock| lock.is_held(self.at));
        match lock {
            Some(lock) if lock.terms.id != holder => return Err(locked("the variable is locked")),
            None if !holder.is_empty() => return Err(locked("the lock is not held")),
            _ => {}
        }
        let found = known.map_or(0, |known| known.modify_index);
        if check.is_some_and(|expected| expected != found) { Err(Refusal::Conflict { found }) } else { Ok(()) }
    }

    pub(super) fn variable_put(
        &mut self,
        key: Key,
        sealed: Option<SealedItems>,
        check: Option<u64>,
        holder: &str,
        acquire: Option<LockTerms>,
    ) -> Done {
        let known = self.variable(&key);
        let lock = known.as_ref().and_then(|known| known.lock.clone());
        if acquire.is_some() && lock.as_ref().is_some_and(|lock| lock.is_delaying(self.at) && lock.terms.id != holder) {
            return Err(locked("the lock's delay is not over"));
        }
        // Who acquires again after its lock ran out names a lock that nobody holds: that is no mistake.
        let is_gone = !lock.as_ref().is_some_and(|lock| lock.is_held(self.at));
        let holder = if acquire.is_some() && is_gone { "" } else { holder };
        self.check_variable(known.as_deref(), check, holder)?;
        let Some(sealed) = sealed.or_else(|| known.as_ref().map(|known| known.sealed.clone())) else {
            return Err(Refusal::Refused { status: 400, message: "variable missing required Items object".to_owned() });
        };
        self.check_variables_quota(&key.0, sealed.bytes.len(), known.as_ref().map_or(0, |known| known.sealed.bytes.len()))?;
        let lock = match acquire {
            Some(terms) => Some(StoredLock { terms, renewed: self.at }),
            // One that has run out is kept for as long as its delay lasts.
            None => lock.filter(|lock| lock.is_held(self.at) || lock.is_delaying(self.at)),
        };
        let (namespace, path) = key;
        let (create_index, create_time) = known.map_or((self.index, self.at), |known| (known.create_index, known.create_time));
        let (index, at) = (self.index, self.at);
        let variable = StoredVariable { namespace, path, create_index, modify_index: index, create_time, modify_time: at, sealed, lock };
        self.state.put_variable(variable);
        Ok(())
    }

    pub(super) fn variable_delete(&mut self, key: Key, check: Option<u64>, holder: &str) -> Done {
        let known = self.variable(&key);
        self.check_variable(known.as_deref(), check, holder)?;
        self.state.remove_variable(&key.0, &key.1);
        Ok(())
    }

    pub(super) fn variable_lock(&mut self, key: Key, id: &str, release: bool) -> Done {
        let Some(known) = self.variable(&key) else { return Err(Refusal::not_found("variable")) };
        let mut variable = StoredVariable::clone(&known);
        let held = variable.lock.as_mut().filter(|lock| lock.is_held(self.at) && lock.terms.id == id);
        let Some(lock) = held else { return Err(locked("the lock is not held")) };
        if release {
            // The variable's text stays, and so does the time at which it was written.
            (variable.lock, variable.modify_index) = (None, self.index);
        } else {
            lock.renewed = self.at;
        }
        self.state.put_variable(variable);
        Ok(())
    }
}
