{{- if and (joined "c") (joined "e") (has "copy.status") -}}
with w as (
  select {{template "columns"}}
  from {{tbl "copy.id"}} c
  where $1::text is null or {{raw "c" "copy.id"}} > $1::text::{{type "copy.id"}}
  order by {{raw "c" "copy.id"}}
  limit $2
), {{template "judged"}}
{{- end}}
