/* help.c - help on a terminal. */
#include "ctl/help.h"

#include "common/contract.h"
#include "common/strbuf.h"
#include "ctl/command.h"
#include "ctl/text.h"

#define WIDTH_MAX   100
#define WIDTH_FILE  80 /* when standard output is no terminal */
#define NAME_COLUMN 24 /* where the summaries of the overview begin */

const struct help_exit_code help_exit_codes[] = {
        {EXIT_OK, "done"},
        {EXIT_FAILED, "could not do it, or the database refused it; standard error says why"},
        {EXIT_USAGE, "wrong command line or bad argument; nothing was done"},
        {EXIT_NOT_READY,
         "reached, but what was asked about is not (yet) so: not running, not ready, not done in time"},
        {EXIT_TEMPORARY, "database or suite not reachable; try again later"},
        {EXIT_CONFIG, "the configuration file is wrong"},
        {0, NULL},
};

const struct help_file help_environment[] = {
        {"ORCH_CONFIG", "the configuration file, unless --config names one"},
        {"ORCH_<OPTION>", "overrides one option of the file, such as ORCH_DATABASE"},
        {"NO_COLOR", "when set and not empty: print without colours"},
        {NULL, NULL},
};

const struct help_file help_files[] = {
        {"./orchestrator.conf", "read when neither --config nor ORCH_CONFIG names a file"},
        {"/etc/orchestrator/orchestrator.conf", "read when there is none in the current folder"},
        {"~/.pgpass, pg_service.conf",
         "libpq's own files: the place for a database password, by passfile=FILE or service=NAME in "
         "\"database\"; one in the option itself is shown as *** but stands in the file for all who read it"},
        {NULL, NULL},
};

static size_t width_of(const struct term *term)
{
        if (term->columns == 0)
                return WIDTH_FILE;
        return term->columns < WIDTH_MAX ? term->columns : WIDTH_MAX;
}

static void add_title(const struct term *term, const char *title, struct strbuf *sb)
{
        strbuf_addf(sb, "\n%s%s:%s\n", term_style(term, TERM_BOLD), title, term_style(term, TERM_PLAIN));
}

/* "  left      right", the right side wrapped below itself. */
static void add_pair(const struct term *term, const char *left, const char *right, struct strbuf *sb)
{
        struct strbuf wrapped = STRBUF_INIT;
        size_t used = 2 + text_width(left);
        strbuf_addstr(sb, "  ");
        strbuf_addstr(sb, left);
        text_wrap(&wrapped, right, NAME_COLUMN, width_of(term));
        if (used + 2 > NAME_COLUMN) {
                strbuf_addch(sb, '\n');
                strbuf_addstr(sb, wrapped.buf);
        } else {
                text_pad(sb, NAME_COLUMN - used);
                strbuf_addstr(sb, wrapped.buf + NAME_COLUMN);
        }
        strbuf_deinit(&wrapped);
}

void help_usage(const struct command *cmd, struct strbuf *sb)
{
        strbuf_addf(sb, "orchctl %s%s%s%s", cmd->name, *cmd->args != '\0' ? " " : "", cmd->args,
                    cmd->options != NULL || cmd->json != NULL ? " [OPTIONS]" : "");
}

static void add_exit_codes(const struct term *term, struct strbuf *sb)
{
        add_title(term, "Exit codes", sb);
        for (const struct help_exit_code *e = help_exit_codes; e->meaning != NULL; e++) {
                struct strbuf number = STRBUF_INIT;
                strbuf_addf(&number, "%d", e->code);
                add_pair(term, number.buf, e->meaning, sb);
                strbuf_deinit(&number);
        }
}

void help_overview(const struct term *term, struct strbuf *sb)
{
        strbuf_addstr(sb, "orchctl - run, watch and steer the orchestrator\n\n"
                          "usage: orchctl [--config FILE] COMMAND [ARGUMENTS]\n"
                          "       orchctl help COMMAND\n");
        for (int group = 0; group < GROUP_COUNT; group++) {
                add_title(term, command_group_title((enum command_group)group), sb);
                for (size_t i = 0; commands[i] != NULL; i++)
                        if ((int)commands[i]->group == group)
                                add_pair(term, commands[i]->name, commands[i]->summary, sb);
        }
        add_title(term, "Environment", sb);
        for (const struct help_file *f = help_environment; f->path != NULL; f++)
                add_pair(term, f->path, f->what, sb);
        add_title(term, "Files", sb);
        for (const struct help_file *f = help_files; f->path != NULL; f++)
                add_pair(term, f->path, f->what, sb);
        add_exit_codes(term, sb);
}

struct option_list {
        const struct term *term;
        struct strbuf *sb;
};

static void on_option(void *arg, const struct command_option *o)
{
        struct option_list *list = arg;
        struct strbuf left = STRBUF_INIT;
        if (o->letter != 0)
                strbuf_addf(&left, "-%c, ", o->letter);
        strbuf_addf(&left, "--%s%s%s", o->name, o->value != NULL ? " " : "",
                    o->value != NULL ? o->value : "");
        add_pair(list->term, left.buf, o->help, list->sb);
        strbuf_deinit(&left);
}

void help_command(const struct term *term, const struct command *cmd, struct strbuf *sb)
{
        strbuf_addf(sb, "orchctl %s - %s\n\nusage: ", cmd->name, cmd->summary);
        help_usage(cmd, sb);
        strbuf_addstr(sb, "\n\n");
        text_wrap(sb, cmd->text, 0, width_of(term));
        add_title(term, "Options", sb);
        struct option_list list = {term, sb};
        command_each_option(cmd, on_option, &list);
        if (cmd->json != NULL) {
                add_title(term, "JSON", sb);
                text_wrap(sb, cmd->json, 2, width_of(term));
        }
        add_title(term, "Examples", sb);
        for (const struct command_example *e = cmd->examples; e != NULL && e->line != NULL; e++) {
                strbuf_addf(sb, "  %s%s%s\n", term_style(term, TERM_CYAN), e->line,
                            term_style(term, TERM_PLAIN));
                text_wrap(sb, e->what, 6, width_of(term));
        }
        strbuf_addstr(sb, "\nExit codes are listed by `orchctl help`.\n");
}
