/* One statement for all who look: kept, shared, bounded in time. The database is a stand-in that answers when
 * told. */
#include "web/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "common/db.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

enum { TTL_MS = 10000, PATIENCE_MS = 700, DEADLINE_MS = 2000 };

/* ---- the stand-in ---- */

static struct {
        bool up;
        int queries;
        db_result_fn *fn; /* NULL: nothing is asked */
        void *arg;
} fake;

bool db_is_up(const struct db *db)
{
        (void)db;
        return fake.up;
}

struct db_request *db_query(struct db *db, const struct db_statement *st, const char *const *params,
                            int64_t deadline_ms, db_result_fn *fn, void *arg)
{
        (void)db;
        (void)st;
        assert_null(params);
        assert_int_equal(deadline_ms, DEADLINE_MS);
        assert_null(fake.fn);
        fake.queries++;
        fake.fn = fn;
        fake.arg = arg;
        return (struct db_request *)&fake;
}

void db_request_forget(struct db_request *req)
{
        if (req != NULL)
                fake.fn = NULL;
}

static void database_says(enum db_outcome outcome)
{
        const struct db_result res = {.outcome = outcome, .err = ERRINFO_INIT};
        db_result_fn *fn = fake.fn;
        fake.fn = NULL;
        fn(fake.arg, &res);
}

/* ---- the fixture ---- */

static struct loop *loop;
static struct snapshot *snapshot;
static const struct db_statement statement = {.name = "test", .sql = "select 1"};

static void format(struct strbuf *text, const struct db_result *res)
{
        (void)res;
        strbuf_addf(text, "answer %d", fake.queries);
}

/* As another has it: what is left of its time when we ask. */
static int64_t left_ms(const struct db_result *res)
{
        (void)res;
        return 400;
}

static int set_up(int64_t (*keep_ms)(const struct db_result *res))
{
        memset(&fake, 0, sizeof(fake));
        fake.up = true;
        assert_int_equal(loop_new(&loop), 0);
        loop_clock_freeze(loop);
        const struct snapshot_config cfg = {.loop = loop,
                                            .statement = &statement,
                                            .ttl_ms = TTL_MS,
                                            .patience_ms = PATIENCE_MS,
                                            .deadline_ms = DEADLINE_MS,
                                            .format = format,
                                            .keep_ms = keep_ms};
        snapshot = snapshot_new(&cfg);
        return 0;
}

static int setup(void **state)
{
        (void)state;
        return set_up(NULL);
}

static int setup_left(void **state)
{
        (void)state;
        return set_up(left_ms);
}

static int teardown(void **state)
{
        (void)state;
        snapshot_free(snapshot);
        loop_free(loop);
        return 0;
}

struct looker {
        struct snapshot_waiter waiter;
        int told;
        char text[32]; /* "" when there was none */
};

static void on_told(void *arg, const struct strbuf *text)
{
        struct looker *l = arg;
        l->told++;
        (void)snprintf(l->text, sizeof(l->text), "%s", text != NULL ? text->buf : "");
}

static void wait_for(struct looker *l)
{
        *l = (struct looker){.waiter = {.fn = on_told, .arg = l}};
        snapshot_wait(snapshot, &l->waiter);
}

static void expect_fresh(const char *expected)
{
        const struct strbuf *text = NULL;
        assert_int_equal(snapshot_look(snapshot, &text), SNAPSHOT_FRESH);
        assert_string_equal(text->buf, expected);
}

static void expect_state(enum snapshot_state expected)
{
        const struct strbuf *text = NULL;
        assert_int_equal(snapshot_look(snapshot, &text), expected);
        assert_null(text);
}

/* ---- the tests ---- */

static void test_one_statement_for_all(void **state)
{
        struct looker a, b;
        (void)state;
        expect_state(SNAPSHOT_STALE);
        wait_for(&a);
        wait_for(&b);
        assert_int_equal(fake.queries, 1);
        assert_int_equal(a.told, 0);
        database_says(DB_OK);
        assert_true(a.told == 1 && b.told == 1);
        assert_string_equal(b.text, "answer 1");
        expect_fresh("answer 1");
        loop_clock_advance(loop, TTL_MS - 1);
        expect_fresh("answer 1");
        loop_clock_advance(loop, 1);
        expect_state(SNAPSHOT_STALE);
        assert_int_equal(fake.queries, 1);
}

/* What others keep as well ends for all at once: it counts from the question, whenever the answer comes. */
static void test_kept_as_long_as_the_answer_says(void **state)
{
        struct looker a;
        (void)state;
        wait_for(&a);
        loop_clock_advance(loop, 300);
        database_says(DB_OK);
        loop_clock_advance(loop, 99);
        expect_fresh("answer 1");
        loop_clock_advance(loop, 1);
        expect_state(SNAPSHOT_STALE);
        wait_for(&a);
        loop_clock_advance(loop, 400);
        database_says(DB_OK);
        assert_string_equal(a.text, "answer 2");
        expect_state(SNAPSHOT_STALE);
}

static void test_failure_is_kept_for_a_second(void **state)
{
        struct looker a;
        (void)state;
        wait_for(&a);
        database_says(DB_SQL_ERROR);
        assert_int_equal(a.told, 1);
        assert_string_equal(a.text, "");
        expect_state(SNAPSHOT_NONE);
        loop_clock_advance(loop, 999);
        expect_state(SNAPSHOT_NONE);
        loop_clock_advance(loop, 1);
        expect_state(SNAPSHOT_STALE);
}

/* Who waits is told in time; the statement goes on, and its answer is kept for the next. */
static void test_patience(void **state)
{
        struct looker a, b;
        (void)state;
        wait_for(&a);
        loop_clock_advance(loop, PATIENCE_MS - 1);
        assert_int_equal(a.told, 0);
        loop_clock_advance(loop, 1);
        assert_int_equal(a.told, 1);
        assert_string_equal(a.text, "");
        wait_for(&b);
        assert_int_equal(fake.queries, 1);
        database_says(DB_OK);
        assert_int_equal(a.told, 1);
        assert_string_equal(b.text, "answer 1");
        expect_fresh("answer 1");
}

static void test_who_leaves_is_not_told(void **state)
{
        struct looker a, b;
        (void)state;
        wait_for(&a);
        wait_for(&b);
        snapshot_forget(snapshot, &a.waiter);
        database_says(DB_OK);
        assert_true(a.told == 0 && b.told == 1);
}

static void test_database_down(void **state)
{
        struct looker a;
        (void)state;
        wait_for(&a);
        database_says(DB_OK);
        expect_fresh("answer 1");
        fake.up = false; /* what was true of a database that is gone is not shown */
        expect_state(SNAPSHOT_NONE);
        fake.up = true;
        expect_fresh("answer 1");
}

static void test_freed_with_a_statement_under_way(void **state)
{
        struct looker a;
        (void)state;
        wait_for(&a);
        snapshot_forget(snapshot, &a.waiter);
        assert_non_null(fake.fn);
        snapshot_free(snapshot);
        snapshot = NULL;
        assert_null(fake.fn);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_one_statement_for_all, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kept_as_long_as_the_answer_says, setup_left, teardown),
                cmocka_unit_test_setup_teardown(test_failure_is_kept_for_a_second, setup, teardown),
                cmocka_unit_test_setup_teardown(test_patience, setup, teardown),
                cmocka_unit_test_setup_teardown(test_who_leaves_is_not_told, setup, teardown),
                cmocka_unit_test_setup_teardown(test_database_down, setup, teardown),
                cmocka_unit_test_setup_teardown(test_freed_with_a_statement_under_way, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
