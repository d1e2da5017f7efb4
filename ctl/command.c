/*
 * command.c - the table of all commands, and finding one in it. What a command says and does is in its own
 * file.
 */
#include "ctl/command.h"

#include <stdbool.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/commands.h"
#include "common/nearest.h"

const struct command *const commands[] = {
        &command_migrate,
        &command_up,
        &command_down,
        &command_upgrade,

        &command_status,
        &command_queue,
        &command_why,
        &command_doctor,
        &command_gates,
        &command_waits,
        &command_whatif,
        &command_asof,
        &command_watch,
        &command_log,
        &command_item_show,
        &command_item_list,
        &command_dependency_list,
        &command_frozen,
        &command_deploy_list,
        &command_escalation_list,
        &command_project_list,
        &command_project_show,
        &command_label_list,
        &command_limit_list,
        &command_retention,
        &command_usage,
        &command_price_list,
        &command_endpoint_list,
        &command_circuit_list,
        &command_lease_list,
        &command_dead_letter_list,
        &command_act_list,

        &command_item_create,
        &command_item_move,
        &command_item_label,
        &command_approve,
        &command_reject,
        &command_answer,
        &command_pause,
        &command_resume,
        &command_priority,
        &command_retry,
        &command_ack,
        &command_cancel,
        &command_dependency_add,
        &command_dependency_remove,
        &command_freeze,
        &command_unfreeze,
        &command_observe,
        &command_project_add,
        &command_project_set,
        &command_command_set,
        &command_command_remove,
        &command_label_set,
        &command_endpoint_set,
        &command_endpoint_remove,
        &command_project_connect,
        &command_limit_set,
        &command_limit_remove,
        &command_price_set,
        &command_price_remove,
        &command_circuit_close,
        &command_lease_release,
        &command_dead_letter_retry,
        &command_dead_letter_drop,

        &command_config_show,
        &command_config_set,
        &command_config_check,
        &command_config_dump,
        &command_token_new,
        &command_token_list,

        &command_help,
        &command_completion,
        NULL,
};

const struct command_option command_common_options[] = {
        {"config", 0, "FILE", "read this configuration instead of looking for one"},
        {"no-color", 0, NULL, "print without colours, as when NO_COLOR is set"},
        {"help", 'h', NULL, "say what the command does, with examples"},
        {"version", 0, NULL, "print the version"},
        {.name = NULL},
};

const struct command_option command_json_option = {"json", 0, NULL,
                                                   "print one JSON document instead of text"};

const char *command_group_title(enum command_group group)
{
        static const char *const titles[GROUP_COUNT] = {
                [GROUP_SUITE] = "Run the suite", [GROUP_LOOK] = "Look", [GROUP_ACT] = "Act",
                [GROUP_SETUP] = "Configuration", [GROUP_HELP] = "Help",
        };
        return titles[group];
}

/* How many of the words spell this name; 0: they do not. */
static size_t name_matches(const char *name, const char *const *words, size_t n_words)
{
        const char *blank = strchr(name, ' ');
        if (blank == NULL)
                return n_words >= 1 && strcmp(name, words[0]) == 0 ? 1 : 0;
        size_t first = (size_t)(blank - name);
        bool match = n_words >= 2 && strlen(words[0]) == first && strncmp(name, words[0], first) == 0 &&
                     strcmp(blank + 1, words[1]) == 0;
        return match ? 2 : 0;
}

const struct command *command_find(const char *const *words, size_t n_words, size_t *ret_used)
{
        for (size_t i = 0; commands[i] != NULL; i++) {
                size_t used = name_matches(commands[i]->name, words, n_words);
                if (used > 0) {
                        *ret_used = used;
                        return commands[i];
                }
        }
        return NULL;
}

const char *command_nearest(const char *const *words, size_t n_words)
{
        if (n_words == 0)
                return NULL;
        _cleanup_(freep) char *two = n_words > 1 ? xasprintf("%s %s", words[0], words[1]) : NULL;
        struct nearest best = NEAREST_INIT;
        for (size_t i = 0; commands[i] != NULL; i++) {
                bool is_two = strchr(commands[i]->name, ' ') != NULL;
                if (is_two && two != NULL)
                        nearest_try(&best, two, commands[i]->name);
                else if (!is_two)
                        nearest_try(&best, words[0], commands[i]->name);
        }
        return best.name;
}

static bool is_option(const struct command_option *option, const char *name, size_t len)
{
        return strlen(option->name) == len && strncmp(option->name, name, len) == 0;
}

struct search {
        const char *name;
        size_t len;
        char letter;
        const struct command_option *found;
};

static void on_search(void *arg, const struct command_option *option)
{
        struct search *s = arg;
        bool hit = s->name != NULL ? is_option(option, s->name, s->len) : option->letter == s->letter;
        if (hit && s->found == NULL)
                s->found = option;
}

const struct command_option *command_option(const struct command *cmd, const char *name, size_t len)
{
        struct search s = {.name = name, .len = len};
        command_each_option(cmd, on_search, &s);
        return s.found;
}

const struct command_option *command_option_letter(const struct command *cmd, char letter)
{
        struct search s = {.letter = letter};
        command_each_option(cmd, on_search, &s);
        return s.found;
}

void command_each_option(const struct command *cmd, command_option_fn *fn, void *arg)
{
        for (const struct command_option *o = cmd != NULL ? cmd->options : NULL; o != NULL && o->name != NULL;
             o++)
                fn(arg, o);
        if (cmd == NULL || cmd->json != NULL)
                fn(arg, &command_json_option);
        for (const struct command_option *o = command_common_options; o->name != NULL; o++)
                fn(arg, o);
}
