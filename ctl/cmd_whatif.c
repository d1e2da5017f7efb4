/* cmd_whatif.c - orchctl whatif: what would start next, and in what order, if something were different. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "queries.h"

#define LIMIT_MAX     200
#define LIMIT_DEFAULT 20

/* An option that supposes something: the act, and the parameter that the value is for, or the two that it is
 * for when it is written A=B. */
static const struct supposition {
        const char *option, *act, *first, *second;
        const char *reason; /* for an act that wants one */
} suppositions[] = {
        {"set", "setting_set", "key", "value", NULL},
        {"freeze", "freeze", "repo", NULL, "what if"},
        {"unfreeze", "unfreeze", "repo", NULL, NULL},
        {"pause", "pause", "work_item", NULL, NULL},
        {"resume", "resume", "work_item", NULL, NULL},
        {"cancel", "cancel", "work_item", NULL, NULL},
        {"priority", "priority_set", "work_item", "priority", NULL},
        {"depend", "dependency_add", "work_item", "waits_for", NULL},
};

static const struct supposition *find_supposition(const char *option)
{
        for (size_t i = 0; i < ARRAY_SIZE(suppositions); i++)
                if (strcmp(suppositions[i].option, option) == 0)
                        return &suppositions[i];
        return NULL;
}

/* EXIT_USAGE when the value is not written as the option wants it. */
static int add_change(struct json_out *j, const struct supposition *s, const char *value)
{
        const char *equals = s->second != NULL ? strchr(value, '=') : NULL;
        if (s->second != NULL && equals == NULL)
                return ctl_fail(EXIT_USAGE, "--%s wants %s=%s, not \"%s\"", s->option, s->first, s->second,
                                value);
        _cleanup_(freep) char *first =
                equals != NULL ? xasprintf("%.*s", (int)(equals - value), value) : xstrdup(value);
        json_out_object(j);
        json_out_kstr(j, "act", s->act);
        json_out_kstr(j, s->first, first);
        if (s->second != NULL)
                json_out_kstr(j, s->second, equals + 1);
        if (s->reason != NULL)
                json_out_kstr(j, "reason", s->reason);
        json_out_object_end(j);
        return EXIT_OK;
}

/* In the order in which they were given: a freeze and then its end are no freeze. */
static int changes_json(const struct args *args, struct strbuf *sb)
{
        struct json_out *j = json_out_new(false);
        int code = EXIT_OK;
        json_out_array(j);
        for (size_t i = 0; i < args->n_values && code == EXIT_OK; i++) {
                const struct supposition *s = find_supposition(args->values[i].option->name);
                if (s != NULL)
                        code = add_change(j, s, args->values[i].value);
        }
        json_out_array_end(j);
        if (code == EXIT_OK)
                json_out_finish(j, sb);
        json_out_free(j);
        return code;
}

static bool names(const struct json *list, const char *item)
{
        for (size_t i = 0; i < json_len(list); i++) {
                const char *name = json_str(json_at(list, i));
                if (name != NULL && strcmp(name, item) == 0)
                        return true;
        }
        return false;
}

static int64_t number(const struct json *object, const char *key)
{
        int64_t n = 0;
        (void)json_int(json_get(object, key), &n); /* absent: 0 */
        return n;
}

static void add_start(struct table *t, const struct json *doc, const struct json *start)
{
        const char *item = show_str(start, "work_item");
        bool is_new = names(json_get(doc, "only_then"), item);
        table_add_int(t, number(start, "place"));
        table_add_style(t, item, is_new ? TERM_GREEN : TERM_PLAIN);
        table_add(t, show_str(start, "repo"));
        table_add(t, show_str(start, "role"));
        table_add_int(t, number(start, "priority"));
        table_add(t, is_new ? "not as things are" : "");
        table_add(t, show_str(start, "title"));
}

static void render_whatif(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "#", .right = true},
                                                      {.title = "ITEM"},
                                                      {.title = "REPO"},
                                                      {.title = "ROLE"},
                                                      {.title = "PRIO", .right = true},
                                                      {.title = "ONLY THEN"},
                                                      {.title = "TITLE", .shrinks = true}};
        const struct json *starts = json_get(doc, "starts"), *gone = json_get(doc, "only_now");
        struct table t;
        if (json_len(starts) == 0) {
                strbuf_addstr(sb, "Nothing would start. `orchctl queue` says what waits, and why.\n");
        } else {
                table_init(&t, columns, ARRAY_SIZE(columns));
                for (size_t i = 0; i < json_len(starts); i++)
                        add_start(&t, doc, json_at(starts, i));
                table_print(&t, term, sb);
                table_deinit(&t);
        }
        for (size_t i = 0; i < json_len(gone); i++) {
                const char *item = json_str(json_at(gone, i));
                text_clean(sb, item != NULL ? item : "?");
                strbuf_addstr(sb, " would start as things are, and not then.\n");
        }
}

static int run_whatif(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf changes = STRBUF_INIT;
        int64_t limit = LIMIT_DEFAULT;
        char limit_text[24];
        int code = ctl_int_option(c, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit);
        if (code == EXIT_OK)
                code = changes_json(&c->args, &changes);
        if (code != EXIT_OK)
                return code;
        (void)snprintf(limit_text, sizeof(limit_text), "%d", (int)limit); /* 1 to 200 */
        const char *params[] = {changes.buf, limit_text};
        return show_document(c, &Q_CTL_WHATIF, params, render_whatif);
}

const struct command command_whatif = {
        .name = "whatif",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "show what would start next, and in what order, if something were different",
        .text = "Runs the scheduler itself in a transaction that is rolled back, first as things are, then "
                "with the "
                "changes supposed, in the order given. Nothing of it stays, and nobody is woken. Jobs are "
                "supposed "
                "to find a free slot and not to end: a repo that lets in one item after the other shows its "
                "next "
                "one only.\n\nAn item that starts because of the supposition is marked; one that would start "
                "as "
                "things are, and not then, is named below.",
        .json = "{\"changes\", \"starts\": [{\"place\", \"work_item\", \"title\", \"repo\", \"stage\", "
                "\"role\", "
                "\"priority\", \"job\"}], \"as_is\": the same, \"only_now\": [ITEM], \"only_then\": [ITEM]}",
        .options =
                (const struct command_option[]){
                        {"set", 0, "KEY=VALUE", "suppose this setting"},
                        {"freeze", 0, "REPO", "suppose that the repo is frozen"},
                        {"unfreeze", 0, "REPO", "suppose that its freezes are cleared"},
                        {"pause", 0, "ITEM", "suppose that the item is paused"},
                        {"resume", 0, "ITEM", "suppose that it is not"},
                        {"cancel", 0, "ITEM", "suppose that it is cancelled"},
                        {"priority", 0, "ITEM=N", "suppose this priority, 0 (most urgent) to 4"},
                        {"depend", 0, "ITEM=OTHER", "suppose that the item waits for another"},
                        {"limit", 'n', "N", "show so many starts; 20 when not given, at most 200"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl whatif", "What starts next, as things are"},
                        {"orchctl whatif --pause DEMO-1 --priority DEMO-7=0",
                         "Whether DEMO-7 would go first if DEMO-1 stood aside"},
                        {"orchctl whatif --set serial_gate_enabled=off --limit 50",
                         "What the serial gate holds back"},
                        {.line = NULL},
                },
        .run = run_whatif,
};
