/* man.c - orchctl(1) as mdoc. docs/man/orchctl.1 is this output; a test compares the two. */
#include "ctl/help.h"

#include <stdbool.h>
#include <string.h>

#include "common/strbuf.h"
#include "ctl/command.h"

#define LINE_MAX_BYTES 70 /* before escapes are put in; mandoc wants less than 80 */

/* Text in which nothing is taken for an escape, nor, in the line of a macro, for a quote around its
 * arguments. */
static void add_escaped(struct strbuf *sb, const char *s, bool in_macro)
{
        for (; *s != '\0'; s++) {
                if (*s == '\\')
                        strbuf_addstr(sb, "\\e");
                else if (*s == '-')
                        strbuf_addstr(sb, "\\-");
                else if (*s == '"' && in_macro)
                        strbuf_addstr(sb, "\\(dq");
                else
                        strbuf_addch(sb, *s);
        }
}

/* A line of text; nothing in it is taken for a request. */
static void add_line(struct strbuf *sb, const char *s)
{
        if (*s == '.' || *s == '\'')
                strbuf_addstr(sb, "\\&");
        add_escaped(sb, s, false);
        strbuf_addch(sb, '\n');
}

static void add_macro(struct strbuf *sb, const char *macro, const char *s)
{
        strbuf_addf(sb, ".%s ", macro);
        add_escaped(sb, s, true);
        strbuf_addch(sb, '\n');
}

static bool ends_sentence(const char *word, size_t len)
{
        return len > 0 && strchr(".?!", word[len - 1]) != NULL;
}

/* Running text: short lines, and a new one for each sentence, from which roff makes its spacing. */
static void add_prose(struct strbuf *sb, const char *s)
{
        struct strbuf line = STRBUF_INIT;
        for (s += strspn(s, " "); *s != '\0'; s += strspn(s, " ")) {
                size_t len = strcspn(s, " ");
                if (line.len > 0 && line.len + 1 + len > LINE_MAX_BYTES) {
                        add_line(sb, line.buf);
                        strbuf_reset(&line);
                }
                strbuf_addf(&line, "%s%.*s", line.len > 0 ? " " : "", (int)len, s);
                if (ends_sentence(s, len)) {
                        add_line(sb, line.buf);
                        strbuf_reset(&line);
                }
                s += len;
        }
        if (line.len > 0)
                add_line(sb, line.buf);
        strbuf_deinit(&line);
}

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
                        add_line(sb, line.buf + strspn(line.buf, " "));
                else
                        add_prose(sb, line.buf);
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
        add_escaped(sb, o->name, true);
        if (o->value != NULL)
                strbuf_addf(sb, " Ar %s", o->value);
        strbuf_addch(sb, '\n');
        add_prose(sb, o->help);
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
        add_macro(sb, "Ss", heading.buf);
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
                add_prose(sb, e->meaning);
        }
        strbuf_addstr(sb, ".El\n");
}

static void add_files(struct strbuf *sb, const char *section, const char *macro,
                      const struct help_file *files)
{
        strbuf_addf(sb, ".Sh %s\n.Bl -tag -width Ds\n", section);
        for (; files->path != NULL; files++) {
                strbuf_addf(sb, ".It %s ", macro);
                add_escaped(sb, files->path, true);
                strbuf_addch(sb, '\n');
                add_prose(sb, files->what);
        }
        strbuf_addstr(sb, ".El\n");
}

static void add_examples(struct strbuf *sb)
{
        strbuf_addstr(sb, ".Sh EXAMPLES\nIn the order of the commands:\n");
        for (size_t i = 0; commands[i] != NULL; i++)
                for (const struct command_example *e = commands[i]->examples; e->line != NULL; e++) {
                        strbuf_addstr(sb, ".Pp\n");
                        add_prose(sb, e->what);
                        add_macro(sb, "Dl", e->line);
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
