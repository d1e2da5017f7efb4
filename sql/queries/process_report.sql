-- Says what this worker's host has, and which agents cannot be started there; its claims are held against it.
-- $1 process, $2 epoch, $3 labels (words separated by blanks), $4 role -> why (JSON),
-- $5 kinds of jobs that it knows (words separated by blanks)
-- -> known
-- Callers: workerd/preflight.c
SELECT orch.process_report($1::bigint, $2::bigint, array_remove(regexp_split_to_array($3::text, '\s+'), ''), $4::jsonb,
        regexp_split_to_array($5::text, '\s+')) AS known
