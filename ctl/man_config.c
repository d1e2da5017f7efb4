/* man_config.c - orchestrator.conf(5) as mdoc, from the table of options. docs/man/orchestrator.conf.5 is
 * this output; a test compares the two. */
#include "ctl/help.h"

#include <string.h>

#include "common/options.h"
#include "common/strbuf.h"
#include "ctl/roff.h"

struct page {
        struct strbuf *sb;
        const char *group;
};

/* Ends the list of one group of options and begins that of the next. */
static void enter_group(struct page *p, const char *group)
{
        if (strcmp(p->group, group) == 0)
                return;
        if (p->group[0] != '\0')
                strbuf_addstr(p->sb, ".El\n");
        p->group = group;
        roff_macro(p->sb, "Ss", group);
        strbuf_addstr(p->sb, ".Bl -tag -width Ds\n");
}

static void add_facts(struct strbuf *sb, const struct option_info *info)
{
        struct strbuf text = STRBUF_INIT;
        strbuf_addf(&text, "Default %s", info->def[0] != '\0' ? info->def : "empty");
        if (info->min != NULL)
                strbuf_addf(&text, ", from %s to %s", info->min, info->max);
        strbuf_addstr(&text, info->reloadable ? "." : ". A change needs a restart.");
        roff_prose(sb, text.buf);
        strbuf_deinit(&text);
}

static void add_option(void *arg, const struct option_info *info)
{
        struct page *p = arg;
        struct strbuf help = STRBUF_INIT;
        enter_group(p, info->group);
        strbuf_addf(p->sb, ".It Ic %s Ar %s\n", info->name, info->type);
        strbuf_addf(&help, "%s.", info->help);
        roff_prose(p->sb, help.buf);
        add_facts(p->sb, info);
        strbuf_deinit(&help);
}

void help_man_config(struct strbuf *sb)
{
        struct page p = {.sb = sb, .group = ""};
        strbuf_addstr(
                sb,
                ".\\\" Made by `orchctl help --man-config` from the table of options; do not edit.\n"
                ".Dd November 20, 2026\n.Dt ORCHESTRATOR.CONF 5\n.Os\n"
                ".Sh NAME\n.Nm orchestrator.conf\n.Nd options of the orchestrator on one host\n"
                ".Sh DESCRIPTION\nEvery program of the suite reads the same file: lines of\n"
                ".Ic name = value ,\nand comments that begin with #.\nAn unknown name is an error.\n"
                "A flag\n.Fl \\-name Ar value\nof a daemon, or else a variable of the environment,\n"
                ".Ev ORCH_\nand the name in capitals, comes before the line of the file.\n"
                "SIGHUP to the supervisor has all daemons read the file again; a file with a mistake "
                "changes\n"
                "nothing.\n"
                ".Pp\n.Ic orchctl config check\nsays what is wrong with a file,\n.Ic orchctl config dump\n"
                "what is in force.\nSettings, which count for every host, are in the database:\n"
                ".Ic orchctl config show .\n.Sh OPTIONS\n");
        options_visit(NULL, add_option, &p);
        strbuf_addstr(sb, ".El\n.Sh SEE ALSO\n.Xr orchctl 1\n");
}
