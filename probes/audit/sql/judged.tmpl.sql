{{- /* What is wrong with the events of the copies w.key: one row a copy and
problem, at most $4 of each problem, all of them with what the whole of w adds
up to. $3 tells that locks are in use. The rules are those of the facts about
the deployed system, end of section 3; package audit says what each means. */ -}}
{{- define "columns" -}}
{{raw "c" "copy.id"}} as key, {{txt "c" "copy.id"}} as id, {{txt "c" "copy.anonymous_id"}} as anon, {{txt "c" "copy.status"}} as status,
    {{ts "c" "copy.validated_at"}} as validated, {{ts "c" "copy.graded_at"}} as graded, {{ts "c" "copy.locked_at"}} as locked_at
{{- end -}}

{{- define "judged" -}}
told as (
  select s.key as copy_key, count(*) as n,
    count(*) filter (where s.action = 'IMPORT') as imports, count(*) filter (where s.action = 'VALIDATE') as validates,
    count(*) filter (where s.action = 'LOCK') as locks, count(*) filter (where s.action = 'UNLOCK') as unlocks,
    count(*) filter (where s.action = 'CREATE_ANN') as creates, count(*) filter (where s.action = 'UPDATE_ANN') as updates,
    count(*) filter (where s.action = 'DELETE_ANN') as deletes, count(*) filter (where s.action = 'FINALIZE') as finals,
    count(*) filter (where s.action = 'EXPORT') as exports,
    count(*) filter (where s.action = 'UNLOCK' and not s.ours) as released,
    count(*) filter (where s.action = 'FINALIZE' and not s.failed) as good,
    bool_or(s.ours and s.action = 'IMPORT') as put_import, bool_or(s.ours and s.action = 'LOCK') as put_lock,
    min(s.at) as first_at, max(s.at) as last_at,
    min(s.at) filter (where s.action = 'IMPORT') as first_import, min(s.at) filter (where s.action = 'LOCK') as first_lock,
    min(s.at) filter (where s.action = 'UNLOCK' and not s.ours) as first_unlock,
    min(s.at) filter (where s.action in ('CREATE_ANN', 'UPDATE_ANN', 'DELETE_ANN', 'FINALIZE')) as first_work,
    max(s.at) filter (where s.action = 'IMPORT') as last_import, max(s.at) filter (where s.action = 'VALIDATE') as last_validate,
    max(s.at) filter (where s.action = 'LOCK') as last_lock, max(s.at) filter (where s.action = 'CREATE_ANN') as last_create,
    max(s.at) filter (where s.action = 'FINALIZE') as last_final,
    max(s.at) filter (where s.action = 'FINALIZE' and not s.failed and not s.ours) as last_good,
    min(s.actor) filter (where s.action = 'LOCK') <> max(s.actor) filter (where s.action = 'LOCK') as shared,
    max(s.at) filter (where s.claims) as claimed, count(*) filter (where s.even) as even, max(s.at) filter (where s.even) as last_even
  from (
    select w.key, {{txt "e" "event.action"}} as action, {{ts "e" "event.timestamp"}} as at, {{int "e" "event.actor_id"}} as actor,
      case when m.meta is null then false else coalesce(m.meta->>'tool' = 'gradecockpit', false) end as ours,
      case when {{txt "e" "event.action"}} <> 'FINALIZE' or m.meta is null then false else coalesce(m.meta->>'success' = 'false', false) end as failed,
      case when m.meta is null then false else coalesce((m.meta ?| array['reconstructed', 'manual', 'by_hand'] or m.meta->>'filename' = 'reconstructed')
        and m.meta->>'tool' is distinct from 'gradecockpit', false) end as claims,
      {{ts "e" "event.timestamp"}} = date_trunc('second', {{ts "e" "event.timestamp"}}) as even
    from w
    join {{tbl "event.id"}} e on {{raw "e" "event.copy_id"}} = w.key
    cross join lateral (select case when {{txt "e" "event.action"}} not in ('CREATE_ANN', 'UPDATE_ANN', 'DELETE_ANN') then nullif({{json "e" "event.metadata"}}, '{}') end as meta) m
  ) s
  group by s.key
), facts as (
  select w.*, {{ts "l" "lock.since"}} as held, coalesce(w.anon like 'IMPORT-%', false) as single,
    coalesce(t.n, 0) as events, {{if joined "a"}}d.n{{else}}null::bigint{{end}} as drawn, {{if joined "a"}}d.first_at{{else}}null::timestamptz{{end}} as first_drawn, t.*
  from w
  left join told t on t.copy_key = w.key
  {{- if joined "a"}}
  cross join lateral (
    select count(*) as n, min({{ts "a" "annotation.created_at"}}) as first_at
    from {{tbl "annotation.copy_id"}} a
    where {{raw "a" "annotation.copy_id"}} = w.key) d
  {{- end}}
  {{- if joined "l"}}
  left join {{tbl "lock.copy_id"}} l on {{raw "l" "lock.copy_id"}} = w.key
  {{- end}}
), found as (
  select f.id, f.key, f.anon, f.status, p.problem, p.at, p.times, f.first_at, f.last_at
  from facts f
  cross join lateral (values
    ('nothing', coalesce(f.validated, f.graded, f.locked_at, f.first_drawn), 0,
      f.events = 0 and (f.status = 'GRADED' or f.validated is not null or f.drawn > 0 or f.status = 'LOCKED' and $3
        or f.single and f.status <> 'STAGING')),
    ('IMPORT', f.first_at, 1,
      f.single and f.imports = 0 and (f.status <> 'STAGING' or {{template "pages" "f.key"}} > 0)),
    ('VALIDATE', f.validated, 1, f.validated is not null and f.validates = 0),
    ('LOCK before work', coalesce(f.first_work, f.first_drawn, f.graded), 1,
      $3 and (f.first_work is not null or f.drawn > 0 or f.status = 'GRADED') and (f.locks = 0 or not f.put_lock and f.first_lock > f.first_work + interval '5 seconds')),
    ('LOCK of the lock', coalesce(f.held, f.locked_at), 1,
      $3 and f.events > 0 and (f.held > coalesce(f.last_lock, '-infinity') + interval '5 seconds' or f.held is null and f.status = 'LOCKED' and f.locks = 0)),
    ('LOCK before UNLOCK', f.first_unlock, 1,
      $3 and (f.released > f.locks or not f.put_lock and f.first_lock > f.first_unlock + interval '5 seconds')),
    ('CREATE_ANN', f.first_drawn, f.drawn - f.creates + f.deletes, f.events > 0 and f.drawn > f.creates - f.deletes),
    ('CREATE_ANN before change', f.first_work, 1, f.creates = 0 and f.updates + f.deletes > 0),
    ('FINALIZE', coalesce(f.graded, f.last_at), 1, f.status = 'GRADED' and f.finals = 0),
    ('vanished', f.last_create, f.creates - f.deletes - f.drawn, f.creates - f.deletes > f.drawn),
    ('reused', f.graded, 1, f.status = 'GRADED' and f.finals > 0 and (f.good = 0 or f.graded > f.last_final + interval '2 minutes')),
    ('duplicate', f.last_final, f.finals, f.finals > 1 and {{if has "event.actor_id"}}exists (
      select from {{tbl "event.id"}} e
      where {{raw "e" "event.copy_id"}} = f.key and {{txt "e" "event.action"}} = 'FINALIZE'
      {{- if has "copy.score"}} and coalesce({{json "e" "event.metadata"}}->>'success' <> 'false', true){{end}}
      group by {{raw "e" "event.actor_id"}} having count(*) > 1){{else}}false{{end}}),
    ('race', f.last_lock, 1, f.shared and exists (
      select from (
        select r.*, lag(r.action) over o as before, lag(r.actor) over o as other, lag(r.at) over o as since
        from (select {{txt "e" "event.action"}} as action, {{int "e" "event.actor_id"}} as actor, {{ts "e" "event.timestamp"}} as at
              from {{tbl "event.id"}} e
              where {{raw "e" "event.copy_id"}} = f.key and {{txt "e" "event.action"}} in ('LOCK', 'UNLOCK', 'FINALIZE')
                and coalesce({{json "e" "event.metadata"}}->>'tool', '') <> 'gradecockpit') r
        window o as (order by r.at)) x
      where x.action = 'LOCK' and x.before = 'LOCK' and x.actor <> x.other and x.at - x.since < interval '10 seconds')),
    ('hand: says so', f.claimed, 1, f.claimed is not null),
    ('hand: late import', f.first_import, 1, not f.put_import and f.first_import > f.first_at + interval '5 seconds'),
    ('hand: after grading', f.last_good, 1, f.status = 'GRADED' and f.last_good > f.graded + interval '2 minutes'),
    ('hand: whole seconds', f.last_even, 1, f.even > 0 and f.even * 2 < f.n)
  ) p(problem, at, times, holds)
  where p.holds
), ranked as (
  select f.*, row_number() over (partition by f.problem order by f.at desc nulls last, f.key) as nth,
    count(*) over (partition by f.problem) as copies, sum(f.times) over (partition by f.problem) as lacking,
    min(f.at) over (partition by f.problem) as earliest
  from found f
), sums as (
  select count(*) as looked, (select w.key::text from w order by w.key desc limit 1) as ended,
    coalesce(sum(imports), 0) as imports, coalesce(sum(validates), 0) as validates, coalesce(sum(locks), 0) as locks,
    coalesce(sum(unlocks), 0) as unlocks, coalesce(sum(creates), 0) as creates, coalesce(sum(updates), 0) as updates,
    coalesce(sum(deletes), 0) as deletes, coalesce(sum(finals), 0) as finals, coalesce(sum(exports), 0) as exports,
    coalesce(sum(events), 0) as events,
    max(last_import) as last_import, max(last_validate) as last_validate, max(last_lock) as last_lock, max(last_create) as last_create, max(last_final) as last_final,
    count(*) filter (where single) as to_import, count(validated) as to_validate, count(first_work) as to_lock,
    coalesce(sum(drawn), 0) as to_create, count(*) filter (where status = 'GRADED') as to_finalize
  from facts
)
select now(), s.looked, s.ended, s.events,
  array[s.imports, s.validates, s.locks, s.creates, s.updates, s.deletes, s.unlocks, s.finals, s.exports]::bigint[],
  array[s.last_import, s.last_validate, s.last_lock, s.last_create, null, null, null, s.last_final, null]::timestamptz[],
  array[s.to_import, s.to_validate, case when $3 then s.to_lock else 0 end, s.to_create, 0, 0, 0, s.to_finalize, 0]::bigint[],
  r.id, r.anon, r.status, r.problem, r.at, r.times, r.first_at, r.last_at, r.copies, r.lacking, r.earliest,
  case when r.problem in ('duplicate', 'race') then (
    select string_agg(distinct coalesce({{txt "u" "user.username"}}, 'user ' || {{int "e" "event.actor_id"}}), ', ')
    from {{tbl "event.id"}} e
    {{- if joined "u"}}
    left join {{tbl "user.id"}} u on {{raw "u" "user.id"}} = {{raw "e" "event.actor_id"}}
    {{- end}}
    where {{raw "e" "event.copy_id"}} = r.key and {{txt "e" "event.action"}} = case r.problem when 'race' then 'LOCK' else 'FINALIZE' end) end
from sums s
left join ranked r on r.nth <= $4
order by r.problem, r.nth
{{- end -}}
