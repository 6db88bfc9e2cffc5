//! The whole state replaced by an earlier one, which comes in parts: the log's entries have a limit, a state has none.

use std::sync::Arc;

use super::{Change, Done, Effect, Refusal};
use crate::{backup, state::Staged};

impl Change<'_> {
    pub(super) fn state_restore(&mut self, id: u64, part: u32, of: u32, data: Vec<u8>) -> Done {
        let mut staged = match self.state.staged() {
            // Whoever begins anew takes the place of one who has not ended.
            _ if part == 0 => Staged { id, parts: Vec::new() },
            Some(staged) if staged.id == id && staged.parts.len() == part as usize => Staged::clone(staged),
            _ => return Err(Refusal::Refused { status: 409, message: "another restore of a snapshot has begun meanwhile".into() }),
        };
        staged.parts.push(Arc::new(data));
        if staged.parts.len() < of as usize {
            self.state.put_staged(Some(staged));
            return Ok(());
        }
        self.state.put_staged(None);
        let packed = staged.parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>();
        let mut restored = backup::unpack_state(&packed).map_err(|error| Refusal::invalid(error.to_string()))?;
        // Everything is new to those who wait for changes, and no index goes back.
        restored.renumber(self.index);
        *self.state = restored;
        self.effects.push(Effect::Restored);
        Ok(())
    }
}
