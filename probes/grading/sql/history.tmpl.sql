{{- if and (joined "e") (joined "c") -}}
{{template "history_select"}}
from (select distinct n.copy_id
      from (select {{raw "e" "event.copy_id"}} as copy_id
            from {{tbl "event.id"}} e
            where {{template "tail"}}
            order by {{raw "e" "event.timestamp"}} desc, {{raw "e" "event.id"}} desc
            limit $2) n) w
{{template "history_joins"}}
{{- end}}
