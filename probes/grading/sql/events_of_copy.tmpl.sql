{{- if joined "e" -}}
{{template "event_select"}} {{raw "e" "event.copy_id"}} = $1::text::{{type "event.copy_id"}}
      order by {{raw "e" "event.timestamp"}} desc, {{raw "e" "event.id"}} desc
      limit $2
{{template "event_joins"}}
{{- end}}
