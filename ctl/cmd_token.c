/*
 * cmd_token.c - orchctl token: tokens of the operator port. Makes them, and shows who has one; the file of
 * tokens is changed by people, who know where else it has to go.
 */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "common/token_time.h"
#include "common/tokens.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"

static void tokens_freep(struct tokens **t)
{
        tokens_free(*t);
}

/* --- new
 * ---------------------------------------------------------------------------------------------------- */

static int check_words(const char *name, const char *scope, const char *expires)
{
        enum token_scope known;
        int64_t expires_s = TOKEN_NEVER;
        if (!token_name_ok(name, strlen(name)))
                return ctl_fail(EXIT_USAGE, "a name has at most %d letters, digits and . _ @ -",
                                TOKEN_NAME_BYTES);
        if (!token_scope_parse(scope, strlen(scope), &known))
                return ctl_fail(EXIT_USAGE, "there is no scope \"%s\", only read and operator", scope);
        if (expires != NULL && token_time_parse(expires, strlen(expires), &expires_s) < 0)
                return ctl_fail(EXIT_USAGE, "\"%s\" is no time: write 2027-01-31 or 2027-01-31T12:00:00Z",
                                expires);
        if (expires_s <= time(NULL))
                return ctl_fail(EXIT_USAGE, "the token would have expired already");
        return EXIT_OK;
}

static void write_text(const char *token, const struct strbuf *line, struct strbuf *sb)
{
        strbuf_addf(sb, "token  %s\nline   %s\n", token, line->buf);
}

static void write_json(const char *token, const struct strbuf *line, struct strbuf *sb)
{
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_kstr(j, "token", token);
        json_out_kstr(j, "line", line->buf);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
        strbuf_addch(sb, '\n');
}

static int run_token_new(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf line = STRBUF_INIT, sb = STRBUF_INIT;
        const char *name = args_word(&c->args, 0), *scope = args_value(&c->args, "scope");
        const char *expires = args_value(&c->args, "expires");
        char token[TOKEN_MADE_BYTES + 1];
        if (scope == NULL)
                scope = token_scope_name(TOKEN_READ);
        int code = check_words(name, scope, expires);
        if (code != EXIT_OK)
                return code;
        int r = token_make(token);
        if (r < 0)
                return ctl_fail(EXIT_FAILED, "no token can be made: %s", log_errno_text(r));
        token_line(name, scope, token, expires, &line);
        if (c->json)
                write_json(token, &line, &sb);
        else
                write_text(token, &line, &sb);
        code = ctl_print(&sb);
        if (code == EXIT_OK && !c->json)
                ctl_hint("Append the line to operator_tokens_file and send the supervisor SIGHUP; the token "
                         "itself is "
                         "kept nowhere");
        return code;
}

/* --- list
 * --------------------------------------------------------------------------------------------------- */

static void format_time(int64_t s, char text[static 32])
{
        struct tm tm;
        time_t t = (time_t)s;
        if (s == TOKEN_NEVER || gmtime_r(&t, &tm) == NULL ||
            strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                (void)snprintf(text, 32, "never");
}

static void write_list(const struct tokens *tokens, struct strbuf *sb)
{
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_key(j, "tokens");
        json_out_array(j);
        for (size_t i = 0; i < tokens_count(tokens); i++) {
                const struct token *t = tokens_at(tokens, i);
                char expires[32];
                format_time(t->expires_s, expires);
                json_out_object(j);
                json_out_kstr(j, "name", t->name);
                json_out_kstr(j, "scope", token_scope_name(t->scope));
                json_out_kstr(j, "expires", expires);
                json_out_kbool(j, "good", time(NULL) < t->expires_s);
                json_out_object_end(j);
        }
        json_out_array_end(j);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
}

static void render_list(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {
                {.title = "NAME"}, {.title = "SCOPE"}, {.title = "EXPIRES"}, {.title = "STATE"}};
        const struct json *tokens = json_get(doc, "tokens");
        struct table t;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(tokens); i++) {
                const struct json *row = json_at(tokens, i);
                bool good = false;
                (void)json_bool(json_get(row, "good"), &good);
                table_add(&t, show_str(row, "name"));
                table_add(&t, show_str(row, "scope"));
                table_add(&t, show_str(row, "expires"));
                table_add_style(&t, good ? "good" : "expired", good ? TERM_GREEN : TERM_RED);
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

static int run_token_list(struct ctl *c)
{
        _cleanup_(tokens_freep) struct tokens *tokens = NULL;
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        struct errinfo err = ERRINFO_INIT;
        int code = ctl_options(c);
        if (code != EXIT_OK)
                return code;
        if (c->opt->operator_tokens_file[0] == '\0')
                return ctl_fail(EXIT_FAILED, "option operator_tokens_file is not set");
        if (tokens_load(c->opt->operator_tokens_file, time(NULL), &tokens, &err) < 0)
                return ctl_fail(EXIT_CONFIG, "%s", err.text);
        write_list(tokens, &json);
        return show_text(c, &json, render_list);
}

const struct command command_token_new = {
        .name = "token new",
        .group = GROUP_SETUP,
        .args = "NAME",
        .min_args = 1,
        .max_args = 1,
        .summary = "make a token for the operator port",
        .text = "Prints the token, for whoever is to have it, and the line for operator_tokens_file, which "
                "has only "
                "its hash. NAME is what the audit calls its holder. A name may have two tokens that are "
                "good, so "
                "that one can replace the other without a pause. Nothing is changed by this command.",
        .json = "{\"token\", \"line\"}",
        .options =
                (const struct command_option[]){
                        {"scope", 's', "read|operator",
                         "what it is good for: to look (the default), or to act as well"},
                        {"expires", 'e', "TIME",
                         "when it ends: 2027-01-31 or 2027-01-31T12:00:00Z; else never"},
                        {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl token new alice --scope operator --expires 2027-01-31",
                         "A token for Alice"},
                        {.line = NULL}},
        .run = run_token_new,
};

const struct command command_token_list = {
        .name = "token list",
        .group = GROUP_SETUP,
        .args = "",
        .summary = "show whose tokens the operator port of this host takes",
        .text = "Reads operator_tokens_file as the daemon does, and says what is wrong with it. A daemon "
                "that runs "
                "takes a changed file when the supervisor gets SIGHUP.",
        .json = "{\"tokens\": [{\"name\", \"scope\", \"expires\", \"good\"}]}",
        .examples = (const struct command_example[]){{"orchctl token list", "Whose token ends soon"},
                                                     {.line = NULL}},
        .run = run_token_list,
};
