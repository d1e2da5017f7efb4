-- Says that the process lives, and asks what there is for it: the beat is also the poll and the control channel.
-- $1 process, $2 epoch, $3 whether it drains
-- -> alive, jobs_wanted, events_wanted, effects_wanted, orphans_wanted, watch_wanted, looks_wanted, cards_wanted, held_claims, held_effects (ID-EPOCH-TOKEN,
--    separated by commas), stop_jobs (job ids, separated by commas)
-- Callers: common/process_row.c
SELECT alive, jobs_wanted, events_wanted, effects_wanted, orphans_wanted, watch_wanted, looks_wanted, cards_wanted,
       array_to_string(held_claims, ',') AS held_claims, array_to_string(held_effects, ',') AS held_effects,
       array_to_string(stop_jobs, ',') AS stop_jobs
FROM orch.process_beat($1::bigint, $2::bigint, $3::boolean)
