/* test_process_row.c - registering, beating, being fenced, leaving; on a clock that stands still. */
#include "common/process_row.h"

#include <stdio.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/proc.h"
#include "migrations.h"
#include "tests/unit/fake_db.h"

#define BEAT_MS INT64_C(1000)

struct world {
        struct loop *loop;
        struct process_row *row;
        unsigned registered, beats, fenced, left;
        bool jobs_wanted, orphans_wanted;
        int64_t sent_ms;
        int64_t stopped[4];
        size_t n_stopped, n_held, n_effects;
        bool held_second;
};

static void on_registered(void *arg)
{
        ((struct world *)arg)->registered++;
}

static void on_beat(void *arg, const struct process_beat *beat)
{
        struct world *w = arg;
        w->beats++;
        w->jobs_wanted = beat->jobs_wanted;
        w->orphans_wanted = beat->orphans_wanted;
        w->sent_ms = beat->sent_ms;
        w->n_stopped = beat->stop_jobs.n;
        w->n_held = beat->held_claims->n;
        w->n_effects = beat->held_effects->n;
        w->held_second = claim_names_have(beat->held_claims, 77, 3, "b-b");
        for (size_t i = 0; i < beat->stop_jobs.n && i < ARRAY_SIZE(w->stopped); i++)
                w->stopped[i] = beat->stop_jobs.ids[i];
}

static void on_fenced(void *arg)
{
        ((struct world *)arg)->fenced++;
}

static void on_left(void *arg)
{
        ((struct world *)arg)->left++;
}

static int setup(void **state)
{
        struct world *w = xcalloc(1, sizeof(*w));
        assert_int_equal(loop_new(&w->loop), 0);
        loop_clock_freeze(w->loop);
        const struct process_row_config cfg = {.host = "h",
                                               .daemon = "workerd",
                                               .beat_interval_ms = BEAT_MS,
                                               .takeover_ms = 15 * BEAT_MS,
                                               .on_registered = on_registered,
                                               .on_beat = on_beat,
                                               .on_fenced = on_fenced,
                                               .arg = w};
        w->row = process_row_new(w->loop, NULL, &cfg);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;
        process_row_free(w->row);
        loop_free(w->loop);
        free(w);
        return 0;
}

static const struct fake_cell row_made[] = {{"process_id", "7"}, {"epoch", "3"}, {NULL, NULL}};

static const struct fake_cell *beat_answer(const char *alive, const char *jobs, const char *stop)
{
        static struct fake_cell cells[12];
        cells[0] = (struct fake_cell){"alive", alive};
        cells[1] = (struct fake_cell){"jobs_wanted", jobs};
        cells[2] = (struct fake_cell){"events_wanted", "f"};
        cells[3] = (struct fake_cell){"effects_wanted", "f"};
        cells[4] = (struct fake_cell){"stop_jobs", stop};
        cells[5] = (struct fake_cell){"orphans_wanted", jobs};
        cells[6] = (struct fake_cell){"held_claims", "12-1-a-a,77-3-b-b,345-2-c-c"};
        cells[7] = (struct fake_cell){"held_effects", ""};
        cells[8] = (struct fake_cell){"watch_wanted", "f"};
        cells[9] = (struct fake_cell){"looks_wanted", "f"};
        cells[10] = (struct fake_cell){"cards_wanted", "f"};
        cells[11] = (struct fake_cell){NULL, NULL};
        return cells;
}

static const struct fake_cell *schema(int version, int oldest)
{
        static char texts[2][16];
        static struct fake_cell cells[3];
        (void)snprintf(texts[0], sizeof(texts[0]), "%d", version);
        (void)snprintf(texts[1], sizeof(texts[1]), "%d", oldest);
        cells[0] = (struct fake_cell){"version", texts[0]};
        cells[1] = (struct fake_cell){"oldest", texts[1]};
        return cells;
}

/* The schema is what we were built with: then it registers. */
static void answer_fit(void)
{
        fake_expect("schema_fit");
        fake_answer(DB_OK, schema(SQL_SCHEMA_VERSION, 1));
        fake_expect("process_start");
}

/* Registered, and the first beat answered: nothing is under way. */
static void go_live(struct world *w)
{
        process_row_up(w->row);
        answer_fit();
        fake_answer(DB_OK, row_made);
        loop_run_pending(w->loop);
        fake_expect("process_beat");
        fake_answer(DB_OK, beat_answer("t", "f", ""));
        fake_expect(NULL);
}

static void test_registers_and_beats(void **state)
{
        struct world *w = *state;
        fake_expect(NULL);
        process_row_up(w->row);
        answer_fit();
        assert_string_equal(fake_pending->params[0], "h");
        assert_string_equal(fake_pending->params[1], proc_boot_id());
        assert_string_equal(fake_pending->params[2], "workerd");
        assert_int_equal(strtol(fake_pending->params[3], NULL, 10), getpid());
        assert_string_equal(fake_pending->params[6], "15000");
        assert_int_equal(strtoll(fake_pending->params[7], NULL, 10), loop_now_ms(w->loop));
        assert_false(process_row_live(w->row));
        fake_answer(DB_OK, row_made);
        assert_int_equal(w->registered, 1);
        assert_true(process_row_live(w->row));
        assert_int_equal(process_row_id(w->row), 7);
        assert_int_equal(process_row_epoch(w->row), 3);
        loop_run_pending(w->loop);
        fake_expect("process_beat");
        assert_string_equal(fake_pending->params[0], "7");
        assert_string_equal(fake_pending->params[2], "false");
        fake_answer(DB_OK, beat_answer("t", "t", "12,345"));
        assert_int_equal(w->beats, 1);
        assert_true(w->jobs_wanted);
        assert_int_equal(w->n_stopped, 2);
        assert_int_equal(w->stopped[0], 12);
        assert_int_equal(w->stopped[1], 345);
        assert_int_equal(w->n_held, 3);
        assert_true(w->held_second);
        assert_int_equal(w->n_effects, 0);
        assert_true(w->orphans_wanted);
        loop_clock_advance(w->loop, BEAT_MS - 1);
        fake_expect(NULL);
        loop_clock_advance(w->loop, 1);
        fake_expect("process_beat");
}

/* A failed registration is tried again at the next interval, and at once when the database comes. */
static void test_registration_is_repeated(void **state)
{
        struct world *w = *state;
        process_row_up(w->row);
        fake_answer(DB_UNKNOWN, NULL);
        fake_expect(NULL);
        loop_clock_advance(w->loop, BEAT_MS);
        answer_fit();
        fake_answer(DB_SQL_ERROR, NULL);
        process_row_up(w->row);
        answer_fit();
        fake_answer(DB_OK, row_made);
        assert_int_equal(w->registered, 1);
}

/* A schema that does not fit is waited for, older or newer: nothing is registered before. */
static void test_waits_for_the_schema(void **state)
{
        struct world *w = *state;
        const int unfit[][2] = {{SQL_SCHEMA_VERSION - 1, 1},
                                {SQL_SCHEMA_VERSION + 2, SQL_SCHEMA_VERSION + 1}};
        process_row_up(w->row);
        for (size_t i = 0; i < ARRAY_SIZE(unfit); i++) {
                fake_expect("schema_fit");
                fake_answer(DB_OK, schema(unfit[i][0], unfit[i][1]));
                fake_expect(NULL);
                loop_clock_advance(w->loop, BEAT_MS);
        }
        fake_answer(DB_OK, schema(SQL_SCHEMA_VERSION + 1, SQL_SCHEMA_VERSION));
        fake_expect("process_start");
        fake_answer(DB_OK, row_made);
        assert_int_equal(w->registered, 1);
}

/* What a confirmed beat proves, it proves for the time when it was sent. */
static void test_tells_when_the_beat_was_sent(void **state)
{
        struct world *w = *state;
        go_live(w);
        loop_clock_advance(w->loop, BEAT_MS);
        int64_t sent_ms = loop_now_ms(w->loop);
        loop_clock_advance(w->loop, 10 * BEAT_MS);
        fake_answer(DB_OK, beat_answer("t", "f", ""));
        assert_int_equal(w->sent_ms, sent_ms);
}

static void test_finds_an_id(void **state)
{
        const int64_t ids[] = {3, 5};
        const struct process_row_ids list = {.ids = ids, .n = 2}, none = {.ids = ids, .n = 0};
        (void)state;
        assert_true(process_row_has(&list, 5));
        assert_false(process_row_has(&list, 4));
        assert_false(process_row_has(&none, 3));
}

/* Hints during a beat become one more beat. */
static void test_hints_are_coalesced(void **state)
{
        struct world *w = *state;
        go_live(w);
        process_row_hint(w->row);
        process_row_hint(w->row);
        loop_run_pending(w->loop);
        fake_expect("process_beat");
        process_row_hint(w->row);
        process_row_hint(w->row);
        fake_answer(DB_OK, beat_answer("t", "f", ""));
        loop_run_pending(w->loop);
        fake_expect("process_beat");
        fake_answer(DB_OK, beat_answer("t", "f", ""));
        loop_run_pending(w->loop);
        fake_expect(NULL);
}

static void test_a_failed_beat_is_no_fence(void **state)
{
        struct world *w = *state;
        go_live(w);
        loop_clock_advance(w->loop, BEAT_MS);
        process_row_hint(w->row); /* must not become a busy loop while the database is away */
        fake_answer(DB_UNAVAILABLE, NULL);
        loop_run_pending(w->loop);
        fake_expect(NULL);
        assert_int_equal(w->fenced, 0);
        loop_clock_advance(w->loop, BEAT_MS);
        fake_expect("process_beat");
        process_row_drain(w->row);
        fake_answer(DB_OK, beat_answer("t", "f", ""));
        loop_run_pending(w->loop);
        assert_string_equal(fake_pending->params[2], "true");
}

/* T-5: taken for dead, nothing more is sent. */
static void test_fenced(void **state)
{
        struct world *w = *state;
        go_live(w);
        loop_clock_advance(w->loop, BEAT_MS);
        fake_answer(DB_OK, beat_answer("f", "t", "1"));
        assert_int_equal(w->fenced, 1);
        assert_false(process_row_live(w->row));
        assert_int_equal(w->beats, 1);
        process_row_hint(w->row);
        process_row_up(w->row);
        loop_clock_advance(w->loop, 10 * BEAT_MS);
        fake_expect(NULL);
        process_row_leave(w->row, on_left, w);
        assert_int_equal(w->left, 0);
        loop_run_pending(w->loop);
        assert_int_equal(w->left, 1);
        fake_expect(NULL);
}

static void test_leaves(void **state)
{
        struct world *w = *state;
        go_live(w);
        loop_clock_advance(w->loop, BEAT_MS);
        fake_expect("process_beat");
        process_row_leave(w->row, on_left, w);
        fake_expect("process_handover");
        assert_string_equal(fake_pending->params[0], "7");
        fake_answer(DB_UNAVAILABLE, NULL);
        assert_int_equal(w->left, 1);
        loop_clock_advance(w->loop, 10 * BEAT_MS);
        fake_expect(NULL);
}

static void test_leaves_before_it_came(void **state)
{
        struct world *w = *state;
        process_row_up(w->row);
        process_row_leave(w->row, on_left, w);
        fake_expect(NULL);
        loop_run_pending(w->loop);
        assert_int_equal(w->left, 1);
}

/* T-2: whatever the beat is, and becomes by a reload. */
static void test_the_database_is_looked_for_within_two_beats(void **state)
{
        struct world *w = *state;
        assert_int_equal(fake_reconnect_max_ms, 2 * BEAT_MS);
        process_row_set_interval(w->row, BEAT_MS / 4);
        assert_int_equal(fake_reconnect_max_ms, BEAT_MS / 2);
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                ROW(test_registers_and_beats),
                ROW(test_registration_is_repeated),
                ROW(test_waits_for_the_schema),
                ROW(test_tells_when_the_beat_was_sent),
                cmocka_unit_test(test_finds_an_id),
                ROW(test_the_database_is_looked_for_within_two_beats),
                ROW(test_hints_are_coalesced),
                ROW(test_a_failed_beat_is_no_fence),
                ROW(test_fenced),
                ROW(test_leaves),
                ROW(test_leaves_before_it_came),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
