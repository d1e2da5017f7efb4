-- The metrics that live in the database, as they were last counted; one name's rows stand together.
-- -> name, kind ('counter', 'gauge'), labels (as they stand between the braces, or null), help, value, keep_ms (the same in
-- all rows: for so long nobody is told anything newer)
-- Callers: web/metric_rows.c
SELECT name, kind, labels, help, value, keep_ms
FROM orch.metric_rows()
ORDER BY name, labels
