-- The metrics that live in the database; one name's rows stand together.
-- -> name, kind ('counter', 'gauge'), labels (as they stand between the braces, or null), help, value
-- Callers: web/metric_rows.c
SELECT name, kind, labels, help, value
FROM orch.metric_rows()
ORDER BY name, labels
