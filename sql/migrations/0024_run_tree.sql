-- 0024_run_tree: the code of each commit that a run has made, so that what was said of a commit can be told from what was
-- said of its code (P-4).
set local role orch_owner;

alter table orch.run add column code_tree text;
comment on column orch.run.code_tree is 'Code of head_sha: its tree without the task''s docs folder';
