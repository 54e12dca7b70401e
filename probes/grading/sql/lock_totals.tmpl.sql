{{- if joined "l" -}}
select count(*), count(*) filter (where {{ts "l" "lock.expires_at"}} < now()),
       count(*) filter (where coalesce({{ts "l" "lock.since"}}, {{ts "l" "lock.expires_at"}}) > now() - interval '24 hours'),
       min({{ts "l" "lock.since"}})
from {{tbl "lock.copy_id"}} l
{{- end}}
