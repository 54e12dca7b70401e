{{- if joined "e" -}}
{{template "event_select"}} {{raw "e" "event.timestamp"}} <= $1
        and ({{raw "e" "event.timestamp"}} < $1 or {{raw "e" "event.id"}} < $2::text::{{type "event.id"}})
      order by {{raw "e" "event.timestamp"}} desc, {{raw "e" "event.id"}} desc
      limit $3
{{template "event_joins"}}
{{- end}}
