{{- if joined "l" -}}
{{template "lock_select"}}
where {{raw "l" "lock.copy_id"}} = $1::text::{{type "lock.copy_id"}}
limit 1
{{- end}}
