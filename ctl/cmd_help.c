/* cmd_help.c - orchctl help. */
#include "ctl/commands.h"

#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/help.h"

static int run_help(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        if (args_has(&c->args, "man")) {
                help_man(&sb);
                return ctl_print(&sb);
        }
        if (args_has(&c->args, "man-config")) {
                help_man_config(&sb);
                return ctl_print(&sb);
        }
        if (c->args.n_words == 0) {
                help_overview(&c->term, &sb);
                return ctl_print(&sb);
        }
        size_t used = 0;
        const struct command *cmd = command_find(c->args.words, c->args.n_words, &used);
        if (cmd == NULL || used < c->args.n_words)
                return ctl_unknown_command(c->args.words, c->args.n_words);
        help_command(&c->term, cmd, &sb);
        return ctl_print(&sb);
}

const struct command command_help = {
        .name = "help",
        .group = GROUP_HELP,
        .args = "[COMMAND]",
        .max_args = 2,
        .summary = "say what a command does, with examples",
        .text = "Without COMMAND: all commands, files, environment and exit codes. `orchctl COMMAND --help` "
                "says the "
                "same as `orchctl help COMMAND`.",
        .options =
                (const struct command_option[]){
                        {"man", 0, NULL, "print the manual page orchctl(1) in mdoc"},
                        {"man-config", 0, NULL, "print the manual page orchestrator.conf(5), of all options"},
                        {.name = NULL}},
        .examples =
                (const struct command_example[]){{"orchctl help", "All commands at a glance"},
                                                 {"orchctl help item create", "One command in full"},
                                                 {"orchctl help --man | man -l -", "Read the manual page"},
                                                 {.line = NULL}},
        .run = run_help,
};
