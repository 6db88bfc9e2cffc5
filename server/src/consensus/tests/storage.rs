//! openraft's own tests of what it stores in.

use openraft::testing::{StoreBuilder, Suite};

use super::*;
use crate::consensus::{
    log::Flushed,
    types::{StorageError, TypeConfig},
};

/// For openraft's own tests of what it stores in.
struct Stores {
    real: Option<tempfile::TempDir>,
}

impl StoreBuilder<TypeConfig, LogStore, Adapter> for Stores {
    async fn build(&self) -> Result<((), LogStore, Adapter), StorageError> {
        let (disk, folder): (Arc<dyn Disk>, _) = match &self.real {
            Some(folder) => (Arc::new(drover_runtime::RealDisk), tempfile::tempdir_in(folder).unwrap().keep()),
            None => (Arc::new(MemoryDisk::new()), "/raft".into()),
        };
        let headroom = Arc::new(Headroom::new(Arc::clone(&disk), &folder));
        let log = LogStore::open(Arc::clone(&disk), &folder.join("log"), false).unwrap();
        let adapter =
            Adapter::open(Box::new(Machine(Shared::default())), SnapshotStore::new(disk, &folder), headroom, Flushed::everything())
                .unwrap();
        Ok(((), log, adapter))
    }
}

type OpenraftSuite = Suite<TypeConfig, LogStore, Adapter, Stores, ()>;

/// All of openraft's tests but `get_initial_state_membership_from_log_and_sm`: that one appends entries below what is purged and leaves holes, which openraft
/// itself forbids and our log refuses.
async fn passes_openrafts_own_tests(stores: &Stores) {
    macro_rules! run {
        ($($name:ident)*) => {$(
            let ((), log, adapter) = stores.build().await.unwrap();
            OpenraftSuite::$name(log, adapter).await.expect(stringify!($name));
        )*};
    }
    run! {
        last_membership_in_log_initial
        last_membership_in_log
        last_membership_in_log_multi_step
        get_membership_initial
        get_membership_from_log_and_empty_sm
        get_membership_from_empty_log_and_sm
        get_membership_from_log_le_sm_last_applied
        get_membership_from_log_gt_sm_last_applied_1
        get_membership_from_log_gt_sm_last_applied_2
        get_initial_state_without_init
        get_initial_state_with_state
        get_initial_state_last_log_gt_sm
        get_initial_state_last_log_lt_sm
        get_initial_state_log_ids
        get_initial_state_re_apply_committed
        save_vote
        get_log_entries
        limited_get_log_entries
        try_get_log_entry
        initial_logs
        get_log_state
        get_log_id
        last_id_in_log
        last_applied_state
        purge_logs_upto_0
        purge_logs_upto_5
        purge_logs_upto_20
        delete_logs_since_11
        delete_logs_since_0
        append_to_log
        snapshot_meta
        apply_single
        apply_multiple
    }
    OpenraftSuite::transfer_snapshot(stores).await.unwrap();
}

#[tokio::test]
async fn passes_openrafts_own_tests_in_memory() {
    passes_openrafts_own_tests(&Stores { real: None }).await;
}

#[tokio::test]
async fn passes_openrafts_own_tests_on_disk() {
    passes_openrafts_own_tests(&Stores { real: Some(tempfile::tempdir().unwrap()) }).await;
}
