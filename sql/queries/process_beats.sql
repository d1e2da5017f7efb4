-- The living processes of all hosts and how often each has beaten, the most silent first.
-- $1 limit
-- -> process_id, host, boot_id, daemon, beat_count
-- Callers: reaperd/silence.c
SELECT process_id, host, boot_id, daemon, beat_count
FROM orch.process_beats($1::int)
