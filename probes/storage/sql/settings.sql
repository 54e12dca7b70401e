select name, setting, coalesce(unit, ''), coalesce(pending_restart, false)
from pg_settings
where name = any($1::text[])
order by name
