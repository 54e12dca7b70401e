{{- if joined "l" -}}
{{template "lock_select"}}
order by {{raw "l" "lock.expires_at"}}
limit $1
{{- end}}
