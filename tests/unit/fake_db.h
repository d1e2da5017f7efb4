/*
 * fake_db.h - db.h for unit tests: nothing is sent, the test gives the answers. Include it in one file per
 * program; its definitions stand in for those of the library.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

struct fake_cell {
        const char *column, *value; /* NULL is SQL null */
};

struct db_request {
        const char *name;
        char *params[16];
        size_t n_params;
        db_result_fn *fn;
        void *arg;
};

static struct db_request *fake_pending; /* the tests' subjects have one request at a time */
static unsigned fake_forgotten;
static int64_t fake_reconnect_max_ms;
/* Of the answer that is being given; each row is ended by a NULL column. */
static const struct fake_cell *const *fake_rows;
static int fake_n_rows;

static void fake_free(struct db_request *req)
{
        for (size_t i = 0; i < req->n_params; i++)
                free(req->params[i]);
        free(req);
}

struct db_request *db_query(struct db *db, const struct db_statement *st, const char *const *params,
                            int64_t deadline_ms, db_result_fn *fn, void *arg)
{
        (void)db;
        assert_null(fake_pending);
        assert_true(deadline_ms > 0);
        fake_pending = xcalloc(1, sizeof(*fake_pending));
        *fake_pending =
                (struct db_request){.name = st->name, .n_params = (size_t)st->n_params, .fn = fn, .arg = arg};
        for (int i = 0; i < st->n_params; i++)
                fake_pending->params[i] = params[i] != NULL ? xstrdup(params[i]) : NULL;
        return fake_pending;
}

void db_request_forget(struct db_request *req)
{
        if (req == NULL)
                return;
        assert_ptr_equal(req, fake_pending);
        fake_free(take_ptr(fake_pending));
        fake_forgotten++;
}

void db_set_reconnect_max(struct db *db, int64_t ms)
{
        (void)db;
        fake_reconnect_max_ms = ms;
}

/* The pending request is of this statement; NULL: there is none. */
static inline void fake_expect(const char *name)
{
        if (name == NULL) {
                assert_null(fake_pending);
                return;
        }
        assert_non_null(fake_pending);
        assert_string_equal(fake_pending->name, name);
}

static inline void fake_answer_rows(enum db_outcome outcome, const struct fake_cell *const *rows, int n)
{
        struct db_request *req = take_ptr(fake_pending);
        struct db_result res = {.outcome = outcome};
        assert_non_null(req);
        if (outcome != DB_OK)
                err_set(&res.err, "", "as the test says");
        fake_rows = rows;
        fake_n_rows = n;
        req->fn(req->arg, &res);
        fake_n_rows = 0;
        fake_free(req);
}

/* With one row, or none. */
static inline void fake_answer(enum db_outcome outcome, const struct fake_cell *row)
{
        fake_answer_rows(outcome, &row, row != NULL);
}

int db_rows(const struct db_result *res)
{
        (void)res;
        return fake_n_rows;
}

const char *db_text(const struct db_result *res, int row, const char *column)
{
        (void)res;
        assert_in_range(row, 0, fake_n_rows - 1);
        for (const struct fake_cell *c = fake_rows[row]; c->column != NULL; c++)
                if (strcmp(c->column, column) == 0)
                        return c->value;
        fail_msg("the answer has no column %s", column);
        return NULL;
}

int64_t db_int(const struct db_result *res, int row, const char *column, int64_t if_null)
{
        const char *text = db_text(res, row, column);
        return text != NULL ? strtoll(text, NULL, 10) : if_null;
}

bool db_bool(const struct db_result *res, int row, const char *column)
{
        const char *text = db_text(res, row, column);
        return text != NULL && strcmp(text, "t") == 0;
}
