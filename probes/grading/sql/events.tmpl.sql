{{- if joined "e" -}}
{{template "event_select"}} {{template "tail"}}
      order by {{raw "e" "event.timestamp"}} desc, {{raw "e" "event.id"}} desc
      limit $2
{{template "event_joins"}}
{{- end}}
