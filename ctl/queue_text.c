/* queue_text.c - one section per part of queue_snapshot(). A part may be {"error": why}: then that is the
 * section. */
#include "ctl/queue_text.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/queue_attention.h"
#include "ctl/table.h"
#include "ctl/text.h"

struct section {
        const struct term *term;
        struct strbuf *sb;
};

static void title(const struct section *s, const char *text)
{
        strbuf_addf(s->sb, "%s%s%s%s\n", s->sb->len > 0 ? "\n" : "", term_style(s->term, TERM_BOLD), text,
                    term_style(s->term, TERM_PLAIN));
}

/* A number, or what there is instead when it was too long to count: "~1000000", "5000+". */
static void count_text(const struct json *count, struct strbuf *sb)
{
        int64_t n = 0;
        if (json_int(count, &n))
                strbuf_addf(sb, "%lld", (long long)n);
        else if (json_int(json_get(count, "about"), &n))
                strbuf_addf(sb, "~%lld", (long long)n);
        else if (json_int(json_get(count, "at_least"), &n))
                strbuf_addf(sb, "%lld+", (long long)n);
        else
                strbuf_addch(sb, '0');
}

/* Whether the part is there to be shown; else says why not. */
static bool usable(const struct section *s, const struct json *part)
{
        const char *error = json_str(json_get(part, "error"));
        if (error == NULL)
                return true;
        strbuf_addstr(s->sb, "cannot be shown: ");
        text_clean(s->sb, error);
        strbuf_addch(s->sb, '\n');
        return false;
}

static int64_t number(const struct json *object, const char *key)
{
        int64_t n = 0;
        (void)json_int(json_get(object, key), &n); /* absent: 0 */
        return n;
}

/* Prints a table, or "none" when it has no rows. */
static void finish(const struct section *s, struct table *t)
{
        if (table_rows(t) == 0)
                strbuf_addstr(s->sb, "none\n");
        else
                table_print(t, s->term, s->sb);
        table_deinit(t);
}

static void add_running(const struct section *s, const struct json *running)
{
        static const struct table_column columns[] = {{.title = "ITEM"},
                                                      {.title = "ROLE"},
                                                      {.title = "RUNS FOR", .right = true},
                                                      {.title = "JOB", .right = true},
                                                      {.title = "HOST"},
                                                      {.title = "PID", .right = true}};
        struct table t;
        title(s, "Running");
        if (!usable(s, running))
                return;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(running); i++) {
                const struct json *job = json_at(running, i);
                table_add(&t, show_str(job, "work_item"));
                table_add(&t, show_str(job, "role"));
                table_add_duration(&t, number(job, "running_s"));
                table_add_int(&t, number(job, "job"));
                table_add(&t, show_str(job, "host"));
                table_add_int(&t, number(job, "pid"));
        }
        finish(s, &t);
}

static void add_waiting(const struct section *s, const struct json *waiting)
{
        static const struct table_column columns[] = {{.title = "ITEM"},
                                                      {.title = "STAGE"},
                                                      {.title = "ROLE"},
                                                      {.title = "BECAUSE", .shrinks = true},
                                                      {.title = "UNTIL", .shrinks = true}};
        struct table t;
        title(s, "Waiting");
        if (!usable(s, waiting))
                return;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(waiting); i++) {
                const struct json *job = json_at(waiting, i), *waits = json_get(job, "waits");
                for (size_t k = 0; k < json_len(waits); k++) {
                        table_add(&t, k == 0 ? show_str(job, "work_item") : " ");
                        table_add(&t, k == 0 ? show_str(job, "stage") : " ");
                        table_add(&t, k == 0 ? show_str(job, "role") : " ");
                        table_add(&t, show_str(json_at(waits, k), "reason"));
                        table_add(&t, show_str(json_at(waits, k), "ends_when"));
                }
        }
        finish(s, &t);
}

/* "frozen: REASON", "open"; and the paused items. */
static void gate_state(const struct json *repo, struct strbuf *sb)
{
        bool frozen = false;
        const struct json *paused = json_get(repo, "paused");
        (void)json_bool(json_get(repo, "frozen"), &frozen); /* absent: not frozen */
        strbuf_addf(sb, "%s%s", frozen ? "frozen: " : "open", frozen ? show_str(repo, "frozen_reason") : "");
        for (size_t i = 0; i < json_len(paused); i++)
                strbuf_addf(sb, "%s%s", i == 0 ? "; paused: " : ", ", json_str(json_at(paused, i)));
}

static void add_repos(const struct section *s, const struct json *repos)
{
        static const struct table_column columns[] = {{.title = "REPO"},
                                                      {.title = "ACTIVE"},
                                                      {.title = "WAITING", .right = true},
                                                      {.title = "GATE", .shrinks = true}};
        struct table t;
        title(s, "Repos");
        if (!usable(s, repos))
                return;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(repos); i++) {
                _cleanup_(strbuf_deinit) struct strbuf gate = STRBUF_INIT;
                _cleanup_(strbuf_deinit) struct strbuf waiting = STRBUF_INIT;
                const struct json *repo = json_at(repos, i);
                gate_state(repo, &gate);
                table_add(&t, json_key_at(repos, i));
                table_add(&t, show_str(repo, "active_task"));
                count_text(json_get(repo, "waiting"), &waiting);
                table_add(&t, waiting.buf);
                table_add(&t, gate.buf);
        }
        finish(s, &t);
}

static void add_processes(const struct section *s, const struct json *processes)
{
        static const struct table_column columns[] = {{.title = "HOST"},
                                                      {.title = "DAEMON"},
                                                      {.title = "PID", .right = true},
                                                      {.title = "VERSION"},
                                                      {.title = "LAST BEAT", .right = true},
                                                      {.title = "STATE"}};
        struct table t;
        title(s, "Processes");
        if (!usable(s, processes))
                return;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(processes); i++) {
                const struct json *p = json_at(processes, i);
                bool draining = false;
                (void)json_bool(json_get(p, "draining"), &draining); /* absent: no */
                table_add(&t, show_str(p, "host"));
                table_add(&t, show_str(p, "daemon"));
                table_add_int(&t, number(p, "pid"));
                table_add(&t, show_str(p, "version"));
                table_add_duration(&t, number(p, "beat_s"));
                table_add(&t, draining ? "draining" : "working");
        }
        finish(s, &t);
}

/* "NAME: 3 received, 1 routed" with the age of the oldest. */
static void add_box(const struct section *s, const char *name, const struct json *box, const char *first,
                    const char *second)
{
        int64_t oldest_s = 0;
        strbuf_addf(s->sb, "%s: ", name);
        if (!usable(s, box))
                return;
        count_text(json_get(box, first), s->sb);
        strbuf_addf(s->sb, " %s, ", first);
        count_text(json_get(box, second), s->sb);
        strbuf_addf(s->sb, " %s", second);
        if (json_int(json_get(box, "oldest_s"), &oldest_s)) {
                strbuf_addstr(s->sb, ", the oldest since ");
                text_duration(s->sb, oldest_s);
        }
        strbuf_addch(s->sb, '\n');
}

static void add_messages(const struct section *s, const struct json *doc)
{
        const struct json *dead = json_get(doc, "dead_letters");
        title(s, "Messages");
        add_box(s, "inbox", json_get(doc, "inbox"), "received", "routed");
        add_box(s, "outbox", json_get(doc, "outbox"), "pending", "running");
        if (!usable(s, dead))
                return;
        strbuf_addstr(s->sb, "dead letters: ");
        count_text(dead, s->sb);
        strbuf_addch(s->sb, '\n');
}

static void add_attention(const struct section *s, const struct json *doc)
{
        _cleanup_(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
        queue_attention(doc, &lines);
        if (lines.len == 0)
                return;
        title(s, "To look at");
        strbuf_add(s->sb, lines.buf, lines.len);
}

/* How to go on with each list that does. */
static void add_next(const struct section *s, const struct json *next)
{
        for (size_t i = 0; i < json_len(next); i++)
                strbuf_addf(s->sb, "%sMore of %s: orchctl queue --after %s\n", i == 0 ? "\n" : "",
                            json_key_at(next, i), show_str(next, json_key_at(next, i)));
}

void queue_text(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        struct section s = {term, sb};
        const struct json *running = json_get(doc, "running"), *waiting = json_get(doc, "waiting"),
                          *repos = json_get(doc, "repos");
        if (running != NULL)
                add_running(&s, running);
        if (waiting != NULL)
                add_waiting(&s, waiting);
        if (repos != NULL)
                add_repos(&s, repos);
        if (json_get(doc, "processes") != NULL) { /* not in the next page of a list */
                add_messages(&s, doc);
                add_processes(&s, json_get(doc, "processes"));
                add_attention(&s, doc);
        }
        add_next(&s, json_get(doc, "next"));
}
