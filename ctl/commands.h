/* commands.h - every command by name; each is defined in the cmd_*.c named at its line. */
#pragma once

#include "ctl/command.h"

/* cmd_migrate.c */
extern const struct command command_migrate;
/* cmd_up.c */
extern const struct command command_up;
extern const struct command command_down;
/* cmd_upgrade.c */
extern const struct command command_upgrade;
/* cmd_status.c */
extern const struct command command_status;
extern const struct command command_queue;
extern const struct command command_why;
/* cmd_gates.c */
extern const struct command command_gates;
/* cmd_asof.c */
extern const struct command command_asof;
/* cmd_whatif.c */
extern const struct command command_whatif;
/* cmd_watch.c */
extern const struct command command_watch;
/* cmd_log.c */
extern const struct command command_log;
/* cmd_item.c */
extern const struct command command_item_show;
extern const struct command command_item_list;
extern const struct command command_item_create;
extern const struct command command_item_move;
extern const struct command command_item_label;
/* cmd_verdict.c */
extern const struct command command_approve;
extern const struct command command_reject;
extern const struct command command_answer;
extern const struct command command_cancel;
/* cmd_lease.c */
extern const struct command command_lease_list;
extern const struct command command_lease_release;
/* cmd_pause.c */
extern const struct command command_pause;
extern const struct command command_resume;
extern const struct command command_priority;
extern const struct command command_retry;
/* cmd_escalation.c */
extern const struct command command_ack;
extern const struct command command_escalation_list;
/* cmd_freeze.c */
extern const struct command command_freeze;
extern const struct command command_unfreeze;
extern const struct command command_frozen;
/* cmd_deploy.c */
extern const struct command command_deploy_list;
extern const struct command command_observe;
/* cmd_doctor.c */
extern const struct command command_doctor;
/* cmd_dependency.c */
extern const struct command command_dependency_add;
extern const struct command command_dependency_remove;
extern const struct command command_dependency_list;
extern const struct command command_waits;
/* cmd_dead_letter.c */
extern const struct command command_dead_letter_list;
extern const struct command command_dead_letter_retry;
extern const struct command command_dead_letter_drop;
/* cmd_endpoint.c */
extern const struct command command_endpoint_set;
extern const struct command command_endpoint_remove;
extern const struct command command_endpoint_list;
extern const struct command command_project_connect;
/* cmd_limit.c */
extern const struct command command_label_set;
extern const struct command command_label_list;
extern const struct command command_limit_set;
extern const struct command command_limit_remove;
extern const struct command command_limit_list;
extern const struct command command_price_set;
extern const struct command command_price_remove;
extern const struct command command_price_list;
extern const struct command command_circuit_list;
extern const struct command command_circuit_close;
/* cmd_retention.c */
extern const struct command command_retention;
/* cmd_usage.c */
extern const struct command command_usage;
/* cmd_act.c */
extern const struct command command_act_list;
/* cmd_project_add.c */
extern const struct command command_project_add;
/* cmd_project.c */
extern const struct command command_project_list;
/* cmd_project_options.c */
extern const struct command command_project_show;
extern const struct command command_project_set;
extern const struct command command_command_set;
extern const struct command command_command_remove;
/* cmd_config.c */
extern const struct command command_config_show;
extern const struct command command_config_set;
extern const struct command command_config_check;
extern const struct command command_config_dump;
/* cmd_token.c */
extern const struct command command_token_new;
extern const struct command command_token_list;
/* cmd_help.c */
extern const struct command command_help;
/* completion.c */
extern const struct command command_completion;
