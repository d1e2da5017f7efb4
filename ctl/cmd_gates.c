/* cmd_gates.c - orchctl gates: what each gate says of a work item, and on what evidence. */
#include "ctl/commands.h"

#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "queries.h"

static enum term_style style_of(const char *result)
{
        if (strcmp(result, "pass") == 0)
                return TERM_GREEN;
        if (strcmp(result, "fail") == 0)
                return TERM_RED;
        return strcmp(result, "inconclusive") == 0 ? TERM_YELLOW : TERM_PLAIN;
}

/* "not yet" is what people call it. */
static const char *word_of(const char *result)
{
        return strcmp(result, "wait") == 0 ? "not yet" : result;
}

static bool is_now(const struct json *gate)
{
        bool now = false;
        return json_bool(json_get(gate, "now"), &now) && now;
}

static void add_results(const struct json *gates, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = ""},
                                                      {.title = "STAGE"},
                                                      {.title = "GATE"},
                                                      {.title = "RESULT"},
                                                      {.title = "REASON", .shrinks = true}};
        struct table t;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(gates); i++) {
                const struct json *gate = json_at(gates, i);
                const char *result = show_str(gate, "result");
                table_add(&t, is_now(gate) ? ">" : "");
                table_add(&t, show_str(gate, "stage"));
                table_add(&t, show_str(gate, "gate"));
                table_add_style(&t, word_of(result), style_of(result));
                table_add(&t, show_str(gate, "reason"));
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

static void add_short(struct table *t, const struct json *e, const char *key)
{
        _cleanup_(freep) char *name = xstrndup(show_str(e, key), 10);
        table_add(t, name[0] != '\0' ? name : NULL);
}

static void add_number(struct table *t, const struct json *e, const char *key)
{
        int64_t n = 0;
        if (json_int(json_get(e, key), &n))
                table_add_int(t, n);
        else
                table_add(t, NULL);
}

static void add_evidence(struct table *t, const struct json *gate, const struct json *e)
{
        bool counts = false;
        int64_t age_s = 0;
        (void)json_bool(json_get(e, "counts"), &counts);
        table_add(t, show_str(gate, "gate"));
        table_add(t, show_str(e, "value"));
        table_add_style(t, show_str(e, "standing"), counts ? TERM_GREEN : TERM_PLAIN);
        table_add(t, show_str(e, "source"));
        table_add(t, show_str(e, "by"));
        add_number(t, e, "run");
        add_short(t, e, "sha");
        add_short(t, e, "hash");
        if (json_int(json_get(e, "age_s"), &age_s))
                table_add_duration(t, age_s);
        else
                table_add(t, NULL);
}

static void render_gates(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "GATE"},
                                                      {.title = "VALUE"},
                                                      {.title = "STANDING", .shrinks = true},
                                                      {.title = "FROM"},
                                                      {.title = "BY", .shrinks = true},
                                                      {.title = "RUN", .right = true},
                                                      {.title = "COMMIT"},
                                                      {.title = "HASH"},
                                                      {.title = "AGE", .right = true}};
        const struct json *gates = json_get(doc, "gates");
        struct table t;
        text_clean(sb, show_str(doc, "work_item"));
        strbuf_addf(sb, " is in %s\n\n", show_str(doc, "stage"));
        add_results(gates, term, sb);
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(gates); i++) {
                const struct json *gate = json_at(gates, i), *evidence = json_get(gate, "evidence");
                for (size_t k = 0; k < json_len(evidence); k++)
                        add_evidence(&t, gate, json_at(evidence, k));
        }
        strbuf_addch(sb, '\n');
        if (table_rows(&t) > 0)
                table_print(&t, term, sb);
        else
                strbuf_addstr(sb, "No evidence yet.\n");
        table_deinit(&t);
}

static int run_gates(struct ctl *c)
{
        return show_document(c, &Q_CTL_GATES, c->args.words, render_gates);
}

const struct command command_gates = {
        .name = "gates",
        .group = GROUP_LOOK,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "show what each gate says of a work item, and on what evidence",
        .text = "All gates of the pipeline in order, and below them every finding that they were told: by "
                "whom, "
                "about which commit, how old, and whether it counts. What does not says why: void, because "
                "the "
                "code or the change is another one; superseded; or of an earlier visit to the stage.",
        .json = "{\"work_item\", \"stage\", \"head_sha\", \"patch_id\", \"gates\": [{\"gate\", \"stage\", "
                "\"role\", "
                "\"kind\", \"bound_to\", \"result\", \"reason\", \"now\", \"evidence\": [{\"source\", "
                "\"value\", "
                "\"by\", \"run\", \"sha\", \"base_sha\", \"patch_id\", \"code_tree\", \"file\", \"hash\", "
                "\"visit\", \"at\", \"age_s\", \"counts\", \"standing\", \"detail\"}]}]}",
        .examples =
                (const struct command_example[]){
                        {"orchctl gates DEMO-1", "Why a gate does not pass"},
                        {"orchctl gates DEMO-1 --json | jq '.gates[] | select(.now)'",
                         "The gate it waits at"},
                        {.line = NULL}},
        .run = run_gates,
};
