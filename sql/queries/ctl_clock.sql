-- The clock of the database.
-- No parameters
-- -> milliseconds since 1970
-- Callers: ctl/doctor_database.c
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
