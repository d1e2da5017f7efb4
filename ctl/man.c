/* man.c - orchctl(1) as mdoc. docs/man/orchctl.1 is this output; a test compares the two. */
#include "ctl/help.h"

#include <stdbool.h>
#include <string.h>

#include "common/strbuf.h"
#include "ctl/command.h"
#include "ctl/roff.h"

/* Closes a literal block, if one is open. */
static void end_literal(struct strbuf *sb, bool *literal)
{
        if (*literal)
                strbuf_addstr(sb, ".Ed\n");
        *literal = false;
}

/* Paragraphs as in text_wrap(): an empty line parts them, lines that open with a blank are literal. */
static void add_paragraphs(struct strbuf *sb, const char *s)
{
        bool literal = false;
        while (*s != '\0') {
                size_t len = strcspn(s, "\n");
                struct strbuf line = STRBUF_INIT;
                strbuf_add(&line, s, len);
                if (*s == ' ' && !literal) {
                        strbuf_addstr(sb, ".Bd -literal -offset indent\n");
                        literal = true;
                } else if (*s != ' ') {
                        end_literal(sb, &literal);
                }
                if (len == 0)
                        strbuf_addstr(sb, ".Pp\n");
                else if (literal)
                        roff_line(sb, line.buf + strspn(line.buf, " "));
                else
                        roff_prose(sb, line.buf);
                strbuf_deinit(&line);
                s += len + (s[len] == '\n');
        }
        end_literal(sb, &literal);
}

static void add_option(struct strbuf *sb, const struct command_option *o)
{
        strbuf_addstr(sb, ".It ");
        if (o->letter != 0)
                strbuf_addf(sb, "Fl %c , ", o->letter);
        strbuf_addstr(sb, "Fl \\-");
        roff_escaped(sb, o->name, true);
        if (o->value != NULL)
                strbuf_addf(sb, " Ar %s", o->value);
        strbuf_addch(sb, '\n');
        roff_prose(sb, o->help);
}

static void add_own_options(struct strbuf *sb, const struct command *cmd)
{
        if (cmd->options == NULL)
                return;
        strbuf_addstr(sb, ".Bl -tag -width Ds\n");
        for (const struct command_option *o = cmd->options; o->name != NULL; o++)
                add_option(sb, o);
        strbuf_addstr(sb, ".El\n");
}

static void add_command(struct strbuf *sb, const struct command *cmd)
{
        struct strbuf heading = STRBUF_INIT;
        strbuf_addf(&heading, "orchctl %s%s%s", cmd->name, *cmd->args != '\0' ? " " : "", cmd->args);
        roff_macro(sb, "Ss", heading.buf);
        strbuf_deinit(&heading);
        add_paragraphs(sb, cmd->text);
        add_own_options(sb, cmd);
        if (cmd->json != NULL) {
                strbuf_addstr(sb, ".Pp\nWith\n.Fl \\-json :\n");
                add_paragraphs(sb, cmd->json);
        }
}

static void add_exit_status(struct strbuf *sb)
{
        strbuf_addstr(sb, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
        for (const struct help_exit_code *e = help_exit_codes; e->meaning != NULL; e++) {
                strbuf_addf(sb, ".It %d\n", e->code);
                roff_prose(sb, e->meaning);
        }
        strbuf_addstr(sb, ".El\n");
}

static void add_files(struct strbuf *sb, const char *section, const char *macro,
                      const struct help_file *files)
{
        strbuf_addf(sb, ".Sh %s\n.Bl -tag -width Ds\n", section);
        for (; files->path != NULL; files++) {
                strbuf_addf(sb, ".It %s ", macro);
                roff_escaped(sb, files->path, true);
                strbuf_addch(sb, '\n');
                roff_prose(sb, files->what);
        }
        strbuf_addstr(sb, ".El\n");
}

static void add_examples(struct strbuf *sb)
{
        strbuf_addstr(sb, ".Sh EXAMPLES\nIn the order of the commands:\n");
        for (size_t i = 0; commands[i] != NULL; i++)
                for (const struct command_example *e = commands[i]->examples; e->line != NULL; e++) {
                        strbuf_addstr(sb, ".Pp\n");
                        roff_prose(sb, e->what);
                        roff_macro(sb, "Dl", e->line);
                }
}

void help_man(struct strbuf *sb)
{
        strbuf_addstr(
                sb, ".\\\" Made by `orchctl help --man` from the command table; do not edit.\n"
                    ".Dd November 20, 2026\n.Dt ORCHCTL 1\n.Os\n"
                    ".Sh NAME\n.Nm orchctl\n.Nd run, watch and steer the orchestrator\n"
                    ".Sh SYNOPSIS\n.Nm\n.Op Fl \\-config Ar FILE\n.Ar COMMAND\n.Op Ar ARGUMENTS\n"
                    ".Sh DESCRIPTION\n.Nm\nis the one command that people type.\nData go to standard output, "
                    "messages to standard error.\nEvery command takes these options:\n.Bl -tag -width Ds\n");
        for (const struct command_option *o = command_common_options; o->name != NULL; o++)
                add_option(sb, o);
        strbuf_addstr(
                sb,
                ".El\n.Pp\nCommands that print data also take\n.Fl \\-json :\none JSON document on standard "
                "output.\nKeys may be added to it; those that are there keep their meaning.\n"
                ".Sh COMMANDS\n");
        for (size_t i = 0; commands[i] != NULL; i++)
                add_command(sb, commands[i]);
        add_files(sb, "ENVIRONMENT", "Ev", help_environment);
        add_files(sb, "FILES", "Pa", help_files);
        add_exit_status(sb);
        add_examples(sb);
}
