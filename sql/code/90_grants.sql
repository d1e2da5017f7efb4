-- 90_grants: who may call and read what. Daemons have no rights on tables: they call the functions of their part.

do $$
declare
        g record;
begin
        execute 'revoke all on all functions in schema orch from public';
        for g in select * from (values
                ('orch_webhookd', array['event_intake', 'status_snapshot', 'queue_snapshot', 'metric_rows']),
                ('orch_workerd', array['job_claim', 'job_started', 'job_pushing', 'job_intent', 'job_finish', 'job_release', 'event_unrouted', 'event_route', 'event_malformed', 'event_route_failed',
                        'event_handle', 'effect_claim', 'effect_finish', 'look_claim', 'look_finish', 'process_disown', 'orphans', 'process_report', 'job_adopt', 'runs_over', 'run_usage', 'local_item_set_state', 'local_item_comment']),
                ('orch_reaperd', array['process_beats', 'process_gone', 'reap_overdue', 'orphan_list', 'orphan_lost', 'orphan_stranded']),
                ('orch_reconcilerd', array['reconcile_gates', 'reconcile_outside', 'waits_check', 'escalations_raise']),
                ('orch_reaperd', array['retention_tick', 'retention_files', 'retention_files_done', 'retention_files_kept', 'disk_report', 'prune_report']),
                ('orch_operator, orch_readonly', array['kept_since', 'retention_batch', 'label_text']),
                ('orch_operatord', array['http_act', 'openapi', 'status_snapshot', 'queue_snapshot', 'metric_rows']),
                ('orch_operator, orch_readonly', array['status_snapshot', 'queue_snapshot', 'openapi', 'doctor', 'states_report']),
                ('orch_operator, orch_readonly', (select array_agg('gate_' || key) from orch.gate)),
                ('orch_operator, orch_readonly', array['ci_commits']),
                ('orch_operator, orch_readonly', array['git_url', 'glob_matches', 'ci_red']),
                ('orch_workerd', array['forge_note']),
                -- what the views are made of runs with the rights of whoever reads them
                ('orch_operator, orch_readonly', array['stop_window', 'board_words', 'state_disables']),
                ('orch_operator, orch_readonly', array['setting_text', 'setting_bool', 'setting_int', 'in_scope', 'serial_gated', 'blocks_of', 'axis_answers', 'axis_ask', 'is_axis_fault', 'oldest_claimable_s', 'worker_miss', 'budget_spent', 'cost_estimate', 'needs_transition_lease', 'needs_merge_lease', 'has_living_owner', 'in_critical_window', 'gate_result', 'gate_evidence',
                        'gate_decision', 'gate_job', 'gate_ask', 'gate_visit', 'visit_of', 'evidence_standing', 'evidence_void', 'wrote_code', 'merge_tested', 'is_tested', 'deploy_begun', 'has_step', 'is_for_person', 'waiting_step', 'gates_look', 'waits_for_person', 'item_name', 'task_json', 'state_at', 'failed_log', 'failure_digest', 'works_again', 'counted', 'estimated', 'count_bound',
                        'inbox_age_s', 'former_sessions']),
                ('orch_operator, orch_readonly', array['deploy_under_way', 'deploy_of', 'observed_json']),
                ('orch_workerd', array['deploy_look', 'deploy_initiate', 'watch_claim', 'watch_initiate', 'watch_finish', 'card_claim', 'card_finish']),
                ('orch_operator, orch_readonly', array['endpoint_room', 'endpoint_tokens', 'endpoint_bucket', 'card_claim_s']),
                ('orch_operator, orch_readonly', array['waits_for_answer', 'open_question']),
                ('orch_webhookd, orch_workerd, orch_reaperd, orch_reconcilerd', array['process_start', 'process_beat', 'process_handover']),
                ('orch_webhookd, orch_workerd, orch_reaperd, orch_reconcilerd, orch_operatord, orch_operator, orch_readonly', array['schema_version', 'schema_oldest']))
                v (grantees, functions)
        loop
                execute (select string_agg(format('grant execute on function %s to %s', p.oid::regprocedure, g.grantees), '; ')
                         from pg_proc p where p.pronamespace = 'orch'::regnamespace and p.proname = any (g.functions));
        end loop;
        -- O-2: the acts are in orch.act; who may only look may call those that look
        execute (select string_agg(format('grant execute on function %s to %s', p.oid::regprocedure,
                        case a.scope when 'read' then 'orch_operator, orch_readonly' else 'orch_operator' end), '; ')
                 from orch.act a join pg_proc p on p.pronamespace = 'orch'::regnamespace and p.proname = a.key);
        execute (select format('grant select on %s to orch_operator, orch_readonly', string_agg(c.oid::regclass::text, ', '))
                 from pg_class c where c.relnamespace = 'orch'::regnamespace and c.relkind = 'v');
end
$$;
-- O-3: people who look need the tables as well, but not the bodies of deliveries, which may hold secrets
grant select on orch.setting_row, orch.stage, orch.stage_step, orch.stage_edge, orch.gate, orch.command_kind, orch.project_command, orch.role, orch.tracker_state, orch.repo, orch.project, orch.host, orch.process,
        orch.task, orch.job, orch.run, orch.evidence, orch.decision, orch.commit_status, orch.task_dependency, orch.repo_freeze, orch.transition_lease,
        orch.merge_lease, orch.deploy_record, orch.axis, orch.axis_fault, orch.lane_touch, orch.slot, orch.effect, orch.local_item, orch.local_comment, orch.history, orch.audit, orch.wait_finding, orch.escalation, orch.failure,
        orch.question, orch.human_wait, orch.review_total,
        orch.endpoint, orch.look, orch.tracker_board, orch.tracker_state_map, orch.tracker_item, orch.card, orch.sweep, orch.sweep_count, orch.capacity_limit, orch.provider_circuit, orch.state_change, orch.retention_mark, orch.host_watch
        to orch_operator, orch_readonly;
grant select on orch.observation, orch.probe to orch_operator, orch_readonly;
grant select (id, source, delivery, headers, status, key, kind, project, object, attempts, run_at, outcome, received_at, ended_at)
        on orch.event to orch_operator, orch_readonly;
