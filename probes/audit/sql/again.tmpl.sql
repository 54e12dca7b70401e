{{- if and (joined "c") (joined "e") (has "copy.status") -}}
with w as (
  select {{template "columns"}}
  from {{tbl "copy.id"}} c
  where {{raw "c" "copy.id"}} = any($1::text[]::{{type "copy.id"}}[])
  limit $2
), {{template "judged"}}
{{- end}}
