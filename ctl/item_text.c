/* item_text.c - orch.item() as text: heading, reasons, description, comments, waits for people, runs,
 * evidence, history. */
#include "ctl/item_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/table.h"
#include "ctl/text.h"

#define TEXT_WIDTH 100

static void title(const struct term *term, const char *text, struct strbuf *sb)
{
        strbuf_addf(sb, "\n%s%s%s\n", term_style(term, TERM_BOLD), text, term_style(term, TERM_PLAIN));
}

/* The member of the task, else of the item. */
static const char *either(const struct json *doc, const char *key)
{
        const char *s = json_str(json_get(json_get(doc, "task"), key));
        return s != NULL ? s : show_str(json_get(doc, "item"), key);
}

static void add_fact(struct strbuf *sb, const char *name, const char *value)
{
        if (*value == '\0')
                return;
        strbuf_addf(sb, "%-10s", name);
        text_clean(sb, value);
        strbuf_addch(sb, '\n');
}

/* C-3: what was cancelled before it began anew. */
static void add_earlier(const struct json *earlier, struct strbuf *sb)
{
        for (size_t i = 0; i < json_len(earlier); i++)
                add_fact(sb, i == 0 ? "earlier" : "", json_str(json_at(earlier, i)));
}

static void add_heading(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        const struct json *task = json_get(doc, "task"), *waits = json_get(task, "waits");
        strbuf_addstr(sb, term_style(term, TERM_BOLD));
        text_clean(sb, either(doc, "work_item"));
        strbuf_addstr(sb, term_style(term, TERM_PLAIN));
        strbuf_addstr(sb, "  ");
        text_clean(sb, either(doc, "title"));
        strbuf_addch(sb, '\n');
        add_fact(sb, "project", either(doc, "project"));
        add_fact(sb, "state", show_str(json_get(doc, "item"), "state"));
        add_fact(sb, "stage", show_str(task, "stage"));
        add_fact(sb, "branch", show_str(task, "branch"));
        add_earlier(json_get(doc, "earlier"), sb);
        for (size_t i = 0; i < json_len(waits); i++)
                add_fact(sb, i == 0 ? "now" : "", show_str(json_at(waits, i), "reason"));
}

/* Free text: cleaned, its lines kept (it may hold lists or code), long ones wrapped. */
static void add_prose(struct strbuf *sb, const char *text)
{
        _cleanup_(strbuf_deinit) struct strbuf safe = STRBUF_INIT;
        text_log(&safe, text, strlen(text));
        for (const char *line = safe.buf; *line != '\0';) {
                size_t len = strcspn(line, "\n");
                _cleanup_(freep) char *one = xstrndup(line, len);
                text_wrap(sb, one, 2, TEXT_WIDTH);
                if (len == 0)
                        strbuf_addch(sb, '\n');
                line += len + (line[len] == '\n');
        }
}

static void add_comments(const struct json *comments, const struct term *term, struct strbuf *sb)
{
        if (json_len(comments) == 0)
                return;
        title(term, "Comments", sb);
        for (size_t i = 0; i < json_len(comments); i++) {
                text_clock(sb, show_str(json_at(comments, i), "at"));
                strbuf_addch(sb, '\n');
                add_prose(sb, show_str(json_at(comments, i), "text"));
        }
}

static void add_clock(struct table *t, const char *iso)
{
        _cleanup_(strbuf_deinit) struct strbuf clock = STRBUF_INIT;
        text_clock(&clock, iso);
        table_add(t, clock.buf);
}

static void add_took(struct table *t, const char *started, const char *ended)
{
        int64_t from = text_time(started), to = text_time(ended);
        if (from < 0 || to < 0)
                table_add(t, NULL);
        else
                table_add_duration(t, to - from);
}

static void add_number(struct table *t, const struct json *object, const char *key)
{
        int64_t n = 0;
        if (json_int(json_get(object, key), &n))
                table_add_int(t, n);
        else
                table_add(t, NULL);
}

/* I-6: what it waited for people, and all of that together. */
static void add_reviews(const struct json *reviews, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "GATE"},
                                                      {.title = "SINCE"},
                                                      {.title = "WAITED", .right = true},
                                                      {.title = "VERDICT"},
                                                      {.title = "BY", .shrinks = true}};
        struct table t;
        int64_t total = 0;
        if (json_len(reviews) == 0)
                return;
        title(term, "Waits for people", sb);
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(reviews); i++) {
                const struct json *review = json_at(reviews, i);
                const char *verdict = json_str(json_get(review, "verdict"));
                int64_t waited = 0;
                (void)json_int(json_get(review, "waited_s"), &waited); /* always there */
                total += waited;
                table_add(&t, show_str(review, "gate"));
                add_clock(&t, show_str(review, "since"));
                table_add_duration(&t, waited);
                table_add(&t, verdict != NULL ? verdict : "waits");
                table_add(&t, show_str(review, "ended_by"));
        }
        table_add(&t, "together");
        table_add(&t, NULL);
        table_add_duration(&t, total);
        table_add(&t, NULL);
        table_add(&t, NULL);
        table_print(&t, term, sb);
        table_deinit(&t);
}

/* J-7: what a run cost; "~" when it is our prices that say so, "?" when only the dearest of them. */
static void add_cost(struct table *t, const struct json *run)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        const char *source = show_str(run, "cost_source");
        const char *usd = json_number_text(json_get(run, "cost_usd"));
        if (usd == NULL) {
                table_add(t, NULL);
                return;
        }
        if (strcmp(source, "agent") != 0)
                strbuf_addch(&text, strcmp(source, "prices") == 0 ? '~' : '?');
        strbuf_addf(&text, "$%.2f", strtod(usd, NULL));
        table_add(t, text.buf);
}

static void add_runs(const struct json *runs, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {
                {.title = "RUN", .right = true},     {.title = "ROLE"},    {.title = "STAGE"},
                {.title = "ATTEMPT", .right = true}, {.title = "STARTED"}, {.title = "TOOK", .right = true},
                {.title = "COST", .right = true},    {.title = "OUTCOME"}, {.title = "HOST"},
                {.title = "REASON", .shrinks = true}};
        struct table t;
        if (json_len(runs) == 0)
                return;
        title(term, "Runs", sb);
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(runs); i++) {
                const struct json *run = json_at(runs, i);
                const char *outcome = json_str(json_get(run, "outcome"));
                add_number(&t, run, "run");
                table_add(&t, show_str(run, "role"));
                table_add(&t, show_str(run, "stage"));
                add_number(&t, run, "attempt");
                add_clock(&t, show_str(run, "started_at"));
                add_took(&t, show_str(run, "started_at"), show_str(run, "ended_at"));
                add_cost(&t, run);
                table_add(&t, outcome != NULL ? outcome : "running");
                table_add(&t, show_str(run, "host"));
                table_add(&t, show_str(run, "reason"));
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

static void add_deploys(const struct json *deploys, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"kind", {.title = "KIND"}},          {"state", {.title = "STATE"}},
                {"initiated_at", {.title = "BEGAN"}}, {"finished_at", {.title = "ENDED"}},
                {"host", {.title = "HOST"}},          {"reason", {.title = "REASON", .shrinks = true}},
        };
        if (json_len(deploys) == 0)
                return;
        title(term, "Deploys", sb);
        show_rows(deploys, columns, ARRAY_SIZE(columns), term, sb);
}

static void add_observation(const struct json *watch, struct strbuf *sb)
{
        if (json_str(json_get(watch, "state")) == NULL)
                return;
        add_fact(sb, "production", show_str(watch, "state"));
        add_fact(sb, "", show_str(watch, "reason"));
}

static void add_evidence(const struct json *evidence, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "GATE"},
                                                      {.title = "VALUE"},
                                                      {.title = "RUN", .right = true},
                                                      {.title = "COMMIT"},
                                                      {.title = "FILE", .shrinks = true}};
        struct table t;
        if (json_len(evidence) == 0)
                return;
        title(term, "Evidence", sb);
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(evidence); i++) {
                const struct json *e = json_at(evidence, i);
                _cleanup_(freep) char *sha = xstrndup(show_str(e, "sha"), 10);
                table_add(&t, show_str(e, "gate"));
                table_add(&t, show_str(e, "value"));
                add_number(&t, e, "run");
                table_add(&t, sha);
                table_add(&t, show_str(e, "file"));
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

/* "analysis -> architecture" for a move; else what the detail says in its usual members. */
static void what_happened(const struct json *h, struct strbuf *sb)
{
        static const char *const members[] = {"reason", "outcome", "verdict", "comment", "role"};
        const struct json *detail = json_get(h, "detail");
        if (json_str(json_get(h, "to")) != NULL)
                strbuf_addf(sb, "%s -> %s", show_str(h, "from"), show_str(h, "to"));
        for (size_t i = 0; i < ARRAY_SIZE(members); i++)
                if (json_str(json_get(detail, members[i])) != NULL)
                        strbuf_addf(sb, "%s%s: %s", sb->len > 0 ? ", " : "", members[i],
                                    show_str(detail, members[i]));
}

static void add_history(const struct json *history, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "AT"},
                                                      {.title = "KIND"},
                                                      {.title = "BY", .shrinks = true},
                                                      {.title = "WHAT", .shrinks = true}};
        struct table t;
        if (json_len(history) == 0)
                return;
        title(term, "History", sb);
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(history); i++) {
                const struct json *h = json_at(history, i);
                _cleanup_(strbuf_deinit) struct strbuf what = STRBUF_INIT;
                what_happened(h, &what);
                add_clock(&t, show_str(h, "at"));
                table_add(&t, show_str(h, "kind"));
                table_add(&t, show_str(h, "actor"));
                table_add(&t, what.buf);
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

void item_text(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        const char *description = show_str(json_get(doc, "item"), "description");
        add_heading(doc, term, sb);
        if (*description != '\0') {
                title(term, "Description", sb);
                add_prose(sb, description);
        }
        add_comments(json_get(doc, "comments"), term, sb);
        add_reviews(json_get(doc, "reviews"), term, sb);
        add_runs(json_get(doc, "runs"), term, sb);
        add_deploys(json_get(doc, "deploys"), term, sb);
        add_observation(json_get(doc, "observation"), sb);
        add_evidence(json_get(doc, "evidence"), term, sb);
        add_history(json_get(doc, "history"), term, sb);
}
