/* completion.c - orchctl completion: a bash script made from the command table. */
#include "ctl/commands.h"

#include <stdbool.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"

/* Whether no command before this one begins with the same word. */
static bool is_first(size_t i, size_t len)
{
        for (size_t k = 0; k < i; k++)
                if (strcspn(commands[k]->name, " ") == len &&
                    strncmp(commands[k]->name, commands[i]->name, len) == 0)
                        return false;
        return true;
}

static bool is_first_of_pair(size_t i, size_t len)
{
        return commands[i]->name[len] == ' ' && is_first(i, len);
}

static void add_first_words(struct strbuf *sb)
{
        for (size_t i = 0; commands[i] != NULL; i++) {
                size_t len = strcspn(commands[i]->name, " ");
                if (is_first(i, len))
                        strbuf_addf(sb, "%s%.*s", i > 0 ? " " : "", (int)len, commands[i]->name);
        }
}

static void on_option(void *arg, const struct command_option *option)
{
        struct strbuf *sb = arg;
        strbuf_addf(sb, " --%s", option->name);
        if (option->letter != 0)
                strbuf_addf(sb, " -%c", option->letter);
}

/* One line of the script: what may follow the first word (of a pair), or the command. */
static void add_case(struct strbuf *sb, const char *pattern, const struct command *cmd)
{
        strbuf_addf(sb, "        '%s') words='", pattern);
        struct strbuf options = STRBUF_INIT;
        command_each_option(cmd, on_option, &options);
        strbuf_addstr(sb, options.buf + 1);
        strbuf_deinit(&options);
        strbuf_addstr(sb, "' ;;\n");
}

/* The second words of the pairs that begin with the first word of `first`. */
static void add_second_words(struct strbuf *sb, const char *first, size_t len)
{
        strbuf_addf(sb, "        '%.*s ') words='", (int)len, first);
        size_t n = 0;
        for (size_t i = 0; commands[i] != NULL; i++)
                if (strncmp(commands[i]->name, first, len) == 0 && commands[i]->name[len] == ' ')
                        strbuf_addf(sb, "%s%s", n++ > 0 ? " " : "", commands[i]->name + len + 1);
        strbuf_addstr(sb, "' ;;\n");
}

static const char script_head[] =
        "# bash completion of orchctl, made by `orchctl completion bash`.\n"
        "_orchctl()\n"
        "{\n"
        "        local cur=${COMP_WORDS[COMP_CWORD]} words='' i skip='' first='' second=''\n"
        "        # The words before the cursor that are no options name the command.\n"
        "        for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "                if [[ $skip ]]; then skip=''; continue; fi\n"
        "                case ${COMP_WORDS[i]} in\n"
        "                --config) skip=1 ;;\n"
        "                -*) ;;\n"
        "                *) if [[ ! $first ]]; then first=${COMP_WORDS[i]}; elif [[ ! $second ]]; then "
        "second=${COMP_WORDS[i]}; fi ;;\n"
        "                esac\n"
        "        done\n"
        "        if [[ ${COMP_WORDS[COMP_CWORD-1]} == --config ]]; then\n"
        "                mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
        "                return\n"
        "        fi\n"
        "        # After help comes the name of another command.\n"
        "        if [[ $first == help && ( $second || $cur != -* ) ]]; then first=$second second=''; fi\n";

static const char script_tail[] = "        esac\n"
                                  "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                                  "}\n"
                                  "complete -F _orchctl orchctl\n";

/* Commands of two words are cases "first second"; their first word alone is "first ". */
static void add_script(struct strbuf *sb)
{
        strbuf_addstr(sb, script_head);
        strbuf_addstr(sb, "        case $first in\n");
        for (size_t i = 0; commands[i] != NULL; i++) {
                size_t len = strcspn(commands[i]->name, " ");
                if (is_first_of_pair(i, len))
                        strbuf_addf(sb, "        %.*s) first=\"$first $second\" ;;\n", (int)len,
                                    commands[i]->name);
        }
        strbuf_addstr(sb, "        esac\n        case $first in\n        '') words='");
        add_first_words(sb);
        strbuf_addstr(sb, "'; [[ $cur == -* ]] && words='--config --no-color --help --version' ;;\n");
        for (size_t i = 0; commands[i] != NULL; i++) {
                size_t len = strcspn(commands[i]->name, " ");
                if (is_first_of_pair(i, len))
                        add_second_words(sb, commands[i]->name, len);
                add_case(sb, commands[i]->name, commands[i]);
        }
        strbuf_addstr(sb, script_tail);
}

static int run_completion(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        if (strcmp(args_word(&c->args, 0), "bash") != 0)
                return ctl_fail(EXIT_USAGE, "there is no completion for \"%s\", only for bash",
                                args_word(&c->args, 0));
        add_script(&sb);
        return ctl_print(&sb);
}

const struct command command_completion = {
        .name = "completion",
        .group = GROUP_HELP,
        .args = "bash",
        .min_args = 1,
        .max_args = 1,
        .summary = "print a script that completes commands and options in the shell",
        .text = "Load it in the present shell, or put it where bash-completion finds it.",
        .examples =
                (const struct command_example[]){
                        {"source <(orchctl completion bash)", "In this shell"},
                        {"orchctl completion bash > /etc/bash_completion.d/orchctl", "For everybody"},
                        {.line = NULL},
                },
        .run = run_completion,
};
