/* options_print.c - what the verbs of the command line print on standard output. */
#include "common/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/options_table.h"
#include "common/strbuf.h"
#include "common/version_print.h"

struct printing {
        struct strbuf text;
        const char *group;
};

#define PRINTING_INIT                                                                                        \
        {                                                                                                    \
                .text = STRBUF_INIT, .group = ""                                                             \
        }

static void printing_deinit(struct printing *p)
{
        strbuf_deinit(&p->text);
}

static int write_out(const struct strbuf *text)
{
        return fputs(text->buf, stdout) == EOF || fflush(stdout) == EOF ? -EIO : 0;
}

/* True when `info` is the first of its group. */
static bool enters_group(struct printing *p, const struct option_info *info)
{
        bool first = strcmp(p->group, info->group) != 0;
        p->group = info->group;
        return first;
}

static void add_help(void *arg, const struct option_info *info)
{
        struct printing *p = arg;
        if (enters_group(p, info))
                strbuf_addf(&p->text, "\n%s:\n", info->group);
        strbuf_addf(&p->text, "  --%s %s\n      %s.\n      Default %s", info->name, info->type, info->help,
                    info->value);
        if (info->min != NULL)
                strbuf_addf(&p->text, ", from %s to %s", info->min, info->max);
        strbuf_addstr(&p->text, info->reloadable ? ".\n" : ". A change needs a restart.\n");
}

int options_print_help(const char *program, const char *summary)
{
        _cleanup_(printing_deinit) struct printing p = PRINTING_INIT;
        strbuf_addf(
                &p.text,
                "Usage: %s [--config FILE] [--OPTION VALUE]...\n"
                "%s\n\n"
                "  --config FILE    read options from FILE (or from the file that ORCH_CONFIG names)\n"
                "  --check-config   say whether the configuration is valid, and leave\n"
                "  --dump-config    print every option with its value and where that came from, and leave\n"
                "  --version        print the versions of the program and its libraries, and leave\n"
                "  --help           print this, and leave\n\n"
                "An option is read from its flag, else from the environment (ORCH_ and its name in upper "
                "case),\n"
                "else from the file (name = value, # comments), else it has its default.\n",
                program, summary);
        options_visit(NULL, add_help, &p);
        return write_out(&p.text);
}

static void add_setting(void *arg, const struct option_info *info)
{
        struct printing *p = arg;
        if (enters_group(p, info))
                strbuf_addf(&p->text, "%s# %s\n", p->text.len > 0 ? "\n" : "", info->group);
        strbuf_addf(&p->text, "%s = %s  # %s\n", info->name, info->value, info->origin);
}

int options_print_config(const struct options *o)
{
        _cleanup_(printing_deinit) struct printing p = PRINTING_INIT;
        options_visit(o, add_setting, &p);
        return write_out(&p.text);
}

int options_print_version(const char *program)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        version_print(&text, program);
        return write_out(&text);
}
