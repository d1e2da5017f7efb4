-- Registers this process; its work carries the (process, epoch) that this gives it.
-- $1 host, $2 boot id, $3 daemon, $4 pid, $5 start time of the pid in ticks, $6 version
-- -> process_id, epoch
-- Callers: common/process_row.c
SELECT process_id, epoch
FROM orch.process_start($1::text, $2::text, $3::text, $4::int, $5::bigint, $6::text)
