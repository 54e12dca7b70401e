{{- if joined "e" -}}
select count(*), count(*) filter (where {{ts "e" "event.timestamp"}} > now() - interval '1 hour'), min({{ts "e" "event.timestamp"}}),
       {{if tail}}pg_relation_size({{reg "event.id"}}) / current_setting('block_size')::int <= $1::bigint{{else}}true{{end}}
from {{tbl "event.id"}} e
where {{template "tail"}}
{{- end}}
