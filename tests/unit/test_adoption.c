/* test_adoption.c - which orphans are adopted, and what follows from each answer. */
#include "workerd/adoption.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/run_dir.h"
#include "tests/unit/fake_db.h"
#include "tests/unit/tmp_dir.h"

static const struct fake_cell orphan[] = {{"job_id", "7"}, {"epoch", "2"}, {NULL, NULL}};

struct world {
        char *state_dir;
        struct run_dir dir; /* of the orphan */
        struct adoption *adoption;
        struct loop *loop;
        unsigned adopted;
};

static void on_adopted(void *arg, const struct db_result *res, int64_t asked_ms)
{
        struct world *w = arg;
        w->adopted++;
        assert_in_range(asked_ms, 1, loop_now_ms(w->loop));
        assert_int_equal(db_int(res, 0, "job_id", 0), 7);
}

static int setup(void **state)
{
        struct errinfo err = ERRINFO_INIT;
        struct world *w = xcalloc(1, sizeof(*w));
        w->state_dir = tmp_dir_make();
        assert_int_equal(loop_new(&w->loop), 0);
        const struct adoption_config cfg = {
                .loop = w->loop, .state_dir = w->state_dir, .on_adopted = on_adopted, .arg = w};
        w->adoption = adoption_new(&cfg);
        run_dir_names(&w->dir, w->state_dir, 7, 2);
        assert_int_equal(run_dir_create(&w->dir, &err), 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;
        adoption_free(w->adoption);
        loop_free(w->loop);
        run_dir_deinit(&w->dir);
        tmp_dir_remove(w->state_dir);
        free(w);
        return 0;
}

static void leave_status(const struct world *w, const char *text)
{
        FILE *f = fopen(w->dir.status, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* The orphan is there, and is asked for. */
static void wake(struct world *w)
{
        adoption_wake(w->adoption, 5, 3);
        fake_expect("orphans");
        assert_string_equal(fake_pending->params[0], "5");
        assert_string_equal(fake_pending->params[1], "3");
        fake_answer(DB_OK, orphan);
}

static void test_one_whose_shim_lives(void **state)
{
        struct world *w = *state;
        _cleanup_(closep) int lock = open(w->dir.lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(flock(lock, LOCK_EX), 0);
        wake(w);
        fake_expect("job_adopt");
        static const char *const params[] = {"5", "3", "7", "2"};
        for (size_t i = 0; i < ARRAY_SIZE(params); i++)
                assert_string_equal(fake_pending->params[i], params[i]);
        fake_answer(DB_OK, orphan);
        assert_int_equal(w->adopted, 1);
        fake_expect(NULL);
}

/* One that cannot be read is the job's to report; the reaper leaves whatever has a status alone. */
static void test_one_that_has_ended(void **state)
{
        static const char *const texts[] = {"outcome=exited\n", "", "nonsense"};
        struct world *w = *state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                leave_status(w, texts[i]);
                wake(w);
                fake_expect("job_adopt");
                fake_answer(DB_OK, orphan);
                assert_int_equal(w->adopted, i + 1);
        }
}

static void test_one_of_which_nothing_is_left(void **state)
{
        struct world *w = *state;
        wake(w);
        fake_expect(NULL);
        assert_int_equal(w->adopted, 0);
}

/* J-1: of two heirs one only gets a row. */
static void test_somebody_else_was_faster(void **state)
{
        struct world *w = *state;
        leave_status(w, "x");
        wake(w);
        fake_answer(DB_OK, NULL);
        assert_int_equal(w->adopted, 0);
        fake_expect(NULL);
}

static void test_answers_that_are_none(void **state)
{
        static const enum db_outcome outcomes[] = {DB_UNAVAILABLE, DB_SQL_ERROR, DB_UNKNOWN};
        struct world *w = *state;
        leave_status(w, "x");
        for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
                adoption_wake(w->adoption, 5, 3);
                fake_answer(outcomes[i], NULL);
                wake(w);
                fake_expect("job_adopt");
                fake_answer(outcomes[i], NULL);
                fake_expect(NULL);
        }
        assert_int_equal(w->adopted, 0);
}

static void test_one_look_at_a_time(void **state)
{
        struct world *w = *state;
        adoption_wake(w->adoption, 5, 3);
        adoption_wake(w->adoption, 5, 3); /* the fake would not take a second request */
        fake_answer(DB_OK, NULL);
        fake_expect(NULL);
}

/* An adoption that is under way may have come about, so its answer still counts. */
static void test_stopped(void **state)
{
        struct world *w = *state;
        leave_status(w, "x");
        wake(w);
        adoption_stop(w->adoption);
        fake_answer(DB_OK, orphan);
        assert_int_equal(w->adopted, 1);
        adoption_wake(w->adoption, 5, 3);
        fake_expect(NULL);
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                ROW(test_one_whose_shim_lives),
                ROW(test_one_that_has_ended),
                ROW(test_one_of_which_nothing_is_left),
                ROW(test_somebody_else_was_faster),
                ROW(test_answers_that_are_none),
                ROW(test_one_look_at_a_time),
                ROW(test_stopped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
