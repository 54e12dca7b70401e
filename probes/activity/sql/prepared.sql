-- Prepared transactions hold their locks with no session behind them.
select gid, prepared, owner::text, database::text from pg_prepared_xacts order by prepared limit 20
