-- Registers this process; its work carries the (process, epoch) that this gives it.
-- $1 host, $2 boot id, $3 daemon, $4 pid, $5 start time of the pid in ticks, $6 version, $7 its promise in ms: for how
-- long anything may act under a claim of it that was taken back, $8 for how many ms the machine has been up
-- -> process_id, epoch
-- Callers: common/process_row.c
SELECT process_id, epoch
FROM orch.process_start($1::text, $2::text, $3::text, $4::int, $5::bigint, $6::text, $7::int, $8::bigint)
