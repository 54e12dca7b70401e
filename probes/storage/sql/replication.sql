select coalesce(application_name, ''), coalesce(host(client_addr), ''), coalesce(state, ''), coalesce(sync_state, ''),
       coalesce(extract(epoch from replay_lag), -1)::float8,
       coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, replay_lsn), -1)::bigint
from pg_stat_replication
order by 1, 2
limit 20
