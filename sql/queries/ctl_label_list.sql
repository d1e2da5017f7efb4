-- Labels that hosts must have, and that they have.
-- -> jsonb {labels, hosts}
-- Callers: ctl/cmd_label.c
SELECT orch.label_list()
