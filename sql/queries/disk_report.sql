-- Says how much room there is on this host.
-- $1 process, $2 epoch, $3 [{path, bytes, inodes, error}] (JSON), $4 least bytes, $5 least inodes
-- -> path, bad, detail: those that have crossed the line
-- Callers: reaperd/disk_watch.c
SELECT path, bad, detail FROM orch.disk_report($1::bigint, $2::bigint, $3::jsonb, $4::bigint, $5::bigint)
