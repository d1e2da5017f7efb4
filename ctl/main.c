/* main.c - orchctl: reads the command line, finds the command, runs it. */
#include <stdio.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/command.h"
#include "ctl/ctl.h"
#include "ctl/help.h"
#include "ctl/text.h"
#include "version.h"

static int print_version(void)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        strbuf_addf(&sb, "orchctl %s (%s)\n", ORCH_VERSION, ORCH_COMMIT);
        return ctl_print(&sb);
}

static int print_help(const struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        if (c->args.cmd != NULL)
                help_command(&c->term, c->args.cmd, &sb);
        else
                help_overview(&c->term, &sb);
        return ctl_print(&sb);
}

static int no_command(const struct ctl *c)
{
        if (c->args.n_words > 0)
                return ctl_unknown_command(c->args.words, c->args.n_words);
        (void)ctl_fail(EXIT_USAGE, "what shall it do? A command is missing");
        ctl_hint("`orchctl help` lists the commands, `orchctl status` shows what is going on");
        return EXIT_USAGE;
}

static int bad_usage(const struct ctl *c, const struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf usage = STRBUF_INIT;
        (void)ctl_fail(EXIT_USAGE, "%s", err->text);
        if (c->args.hint != NULL)
                ctl_hint("%s", c->args.hint);
        if (c->args.cmd != NULL) {
                help_usage(c->args.cmd, &usage);
                ctl_hint("usage: %s (more: orchctl help %s)", usage.buf, c->args.cmd->name);
        }
        return EXIT_USAGE;
}

static int run(struct ctl *c, int argc, char *const *argv)
{
        struct errinfo err = ERRINFO_INIT;
        int parsed = args_parse(&c->args, argc, argv, &err);
        c->json = args_has(&c->args, "json");
        term_init(&c->term, args_has(&c->args, "no-color"));
        if (args_has(&c->args, "version"))
                return print_version();
        if (args_has(&c->args, "help") && (c->args.cmd != NULL || c->args.n_words == 0))
                return print_help(c);
        if (c->args.cmd == NULL && c->args.n_words > 0)
                return no_command(c);
        if (parsed < 0)
                return bad_usage(c, &err);
        if (c->args.cmd == NULL)
                return no_command(c);
        if (args_check_count(&c->args, &err) < 0)
                return bad_usage(c, &err);
        return c->args.cmd->run(c);
}

int main(int argc, char **argv)
{
        struct ctl c = {.args = ARGS_INIT};
        text_init();
        int code = run(&c, argc, argv);
        ctl_deinit(&c);
        return code;
}
