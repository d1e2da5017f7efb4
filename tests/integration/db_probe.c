/*
 * db_probe.c - a db at the end of a pipe, for test_db.py: a command per line in, an event per line out.
 *
 *     query TAG DEADLINE_MS SQL          with TAG DEADLINE_MS PARAM SQL (PARAM is one word, $1)
 *     forget TAG                         free            free-at TAG (in the callback of TAG)       quit
 *
 *     up    down CODE TEXT    notify    result TAG ok VALUE    result TAG error|unavailable|unknown CODE TEXT
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/strbuf.h"

struct probe;

struct query {
        struct query *next;
        struct probe *probe;
        char *tag, *sql;
        struct db_statement st;
        struct db_request *req;
        bool free_db;
};

struct probe {
        struct loop *loop;
        struct loop_io *input;
        struct strbuf line;
        struct db *db;
        struct query *queries;
};

static const char *or_dash(const char *s)
{
        return s != NULL && *s != '\0' ? s : "-";
}

static void on_up(void *arg)
{
        const struct probe *p = arg;
        assert(db_is_up(p->db));
        puts("up");
}

static void on_down(void *arg, const struct errinfo *err)
{
        const struct probe *p = arg;
        assert(!db_is_up(p->db));
        printf("down %s %s\n", or_dash(err->code), err->text);
}

static void on_notify(void *arg)
{
        (void)arg;
        puts("notify");
}

static void on_result(void *arg, const struct db_result *res)
{
        static const char *const names[] = {
                [DB_SQL_ERROR] = "error", [DB_UNAVAILABLE] = "unavailable", [DB_UNKNOWN] = "unknown"};
        struct query *q = arg;
        db_request_forget(q->req); /* a careless owner; must do nothing any more */
        q->req = NULL;
        if (res->outcome == DB_OK)
                printf("result %s ok %s\n", q->tag, db_rows(res) > 0 ? or_dash(db_text(res, 0, "v")) : "-");
        else
                printf("result %s %s %s %s\n", q->tag, names[res->outcome], or_dash(res->err.code),
                       res->err.text);
        if (q->free_db) {
                db_free(q->probe->db);
                q->probe->db = NULL;
                puts("freed");
        }
}

static struct query *find(struct probe *p, const char *tag)
{
        struct query *q = p->queries;
        while (q != NULL && strcmp(q->tag, tag) != 0)
                q = q->next;
        assert(q != NULL);
        return q;
}

static void query(struct probe *p, char *tag, bool with_param, char *rest)
{
        struct query *q = xcalloc(1, sizeof(*q));
        int64_t deadline_ms = strtoll(strsep(&rest, " "), NULL, 10);
        const char *param = with_param ? strsep(&rest, " ") : NULL;
        *q = (struct query){.next = p->queries, .probe = p, .tag = xstrdup(tag), .sql = xstrdup(rest)};
        q->st = (struct db_statement){.name = "probe", .sql = q->sql, .n_params = with_param ? 1 : 0};
        p->queries = q;
        q->req = db_query(p->db, &q->st, &param, deadline_ms, on_result, q);
}

static void command(struct probe *p, char *line)
{
        char *verb = strsep(&line, " "), *tag = strsep(&line, " ");
        if (strcmp(verb, "query") == 0 || strcmp(verb, "with") == 0)
                query(p, tag, verb[0] == 'w', line);
        else if (strcmp(verb, "forget") == 0)
                db_request_forget(take_ptr(find(p, tag)->req));
        else if (strcmp(verb, "free-at") == 0)
                find(p, tag)->free_db = true;
        else if (strcmp(verb, "free") == 0)
                db_free(take_ptr(p->db));
        else
                loop_stop(p->loop);
}

static void on_input(void *arg, int fd, unsigned events)
{
        struct probe *p = arg;
        char chunk[4096], *end;
        ssize_t n = read(fd, chunk, sizeof(chunk));
        (void)events;
        if (n <= 0)
                loop_stop(p->loop);
        else
                strbuf_add(&p->line, chunk, (size_t)n);
        while ((end = memchr(p->line.buf, '\n', p->line.len)) != NULL) {
                *end = '\0';
                command(p, p->line.buf);
                strbuf_remove(&p->line, 0, (size_t)(end - p->line.buf) + 1);
        }
}

static void clean_up(struct probe *p)
{
        struct query *q;
        db_free(p->db);
        while ((q = p->queries) != NULL) {
                p->queries = q->next;
                free(q->tag);
                free(q->sql);
                free(q);
        }
        loop_io_free(p->input);
        loop_free(p->loop);
        strbuf_deinit(&p->line);
}

int main(int argc, char *argv[])
{
        struct probe p = {.line = STRBUF_INIT};
        assert(argc == 3);
        (void)setvbuf(stdout, NULL, _IOLBF, 0); /* if not, the tests will see */
        log_init("probe", LOGL_ERROR);          /* standard error is for the sanitizers */
        int r = metrics_init("db_probe");
        if (r == 0)
                r = loop_new(&p.loop);
        if (r < 0)
                return 1;
        const struct db_config cfg = {.conninfo = argv[1],
                                      .default_user = "orch",
                                      .application_name = "probe",
                                      .statement_timeout_ms = 60000,
                                      .listen_channel = argv[2],
                                      .on_up = on_up,
                                      .on_down = on_down,
                                      .on_notify = on_notify,
                                      .arg = &p};
        struct errinfo err = ERRINFO_INIT;
        if (db_new(p.loop, &cfg, &p.db) != 0) {
                (void)db_conninfo_check(argv[1], &err);
                printf("refused %s\n", err.text);
        }
        p.input = loop_io_new(p.loop, STDIN_FILENO, LOOP_READ, on_input, &p);
        r = loop_run(p.loop);
        clean_up(&p);
        return r < 0 ? 1 : 0;
}
