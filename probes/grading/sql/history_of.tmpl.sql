{{- if and (joined "e") (joined "c") -}}
{{template "history_select"}}
from (select distinct unnest($1::text[])::{{type "event.copy_id"}} as copy_id) w
{{template "history_joins"}}
{{- end}}
