-- The services outside, and whether they can be asked now.
-- No parameters
-- -> jsonb {endpoints: [...]}, one row
-- Callers: ctl/cmd_endpoint.c, ctl/onboarding.c
SELECT orch.endpoint_list()
