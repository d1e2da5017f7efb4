/* test_claimer.c - one claim at a time, as many as there is room for, and no wake that is lost. */
#include "workerd/claimer.h"

#include "queries.h"
#include "tests/unit/fake_db.h"

#define AT_ONCE 3

struct owner {
        struct claimer claimer;
        size_t in_hand;
        unsigned idle;
};

static size_t room(const void *arg)
{
        const struct owner *o = arg;
        return AT_ONCE - o->in_hand;
}

static void take(void *arg, const struct db_result *res, int row)
{
        struct owner *o = arg;
        (void)res;
        (void)row;
        o->in_hand++;
}

static void on_idle(void *arg)
{
        struct owner *o = arg;
        o->idle++;
}

static void begin(struct owner *o)
{
        const struct claimer_config cfg = {.statement = &Q_LOOK_CLAIM,
                                           .failed = EV("look.claim-failed"),
                                           .at_once = AT_ONCE,
                                           .room = room,
                                           .take = take,
                                           .arg = o,
                                           .on_idle = on_idle,
                                           .idle_arg = o};
        *o = (struct owner){.in_hand = 0};
        claimer_init(&o->claimer, &cfg);
        assert_true(claimer_idle(&o->claimer));
}

static void answer(enum db_outcome outcome, int n)
{
        static const struct fake_cell row[] = {{NULL, NULL}};
        static const struct fake_cell *const rows[] = {row, row, row};
        fake_answer_rows(outcome, rows, n);
}

static void end_one(struct owner *o)
{
        o->in_hand--;
        claimer_next(&o->claimer);
}

static void test_until_nothing_is_due(void **state)
{
        struct owner o;
        (void)state;
        begin(&o);
        claimer_wake(&o.claimer, 7, 8);
        fake_expect("look_claim");
        assert_string_equal(fake_pending->params[0], "7");
        assert_string_equal(fake_pending->params[1], "8");
        assert_string_equal(fake_pending->params[2], "3");
        assert_false(claimer_idle(&o.claimer));
        answer(DB_OK, 2);
        fake_expect(NULL); /* what is in hand ends, and asks again */
        assert_int_equal(o.in_hand, 2);
        end_one(&o);
        assert_string_equal(fake_pending->params[2], "2");
        answer(DB_OK, 0);
        assert_int_equal(o.idle, 0);
        end_one(&o);
        answer(DB_OK, 0);
        fake_expect(NULL);
        assert_int_equal(o.idle, 1);
        assert_true(claimer_idle(&o.claimer));
}

/* What a claim does not find may have come after it was sent. */
static void test_a_wake_while_a_claim_is_under_way(void **state)
{
        static const struct {
                enum db_outcome outcome;
                bool again;
        } rows[] = {{DB_OK, true}, {DB_SQL_ERROR, false}, {DB_UNAVAILABLE, false}};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct owner o;
                begin(&o);
                claimer_wake(&o.claimer, 1, 1);
                claimer_wake(&o.claimer, 1, 1);
                answer(rows[i].outcome, 0);
                assert_int_equal(fake_pending != NULL, rows[i].again);
                if (rows[i].again)
                        answer(DB_OK, 0);
                fake_expect(NULL);
                assert_int_equal(o.idle, 1);
        }
}

static void test_a_wake_without_room(void **state)
{
        struct owner o;
        (void)state;
        begin(&o);
        claimer_wake(&o.claimer, 1, 1);
        answer(DB_OK, 3);
        claimer_wake(&o.claimer, 1, 1);
        fake_expect(NULL);
        end_one(&o);
        fake_expect("look_claim");
        answer(DB_OK, 0);
}

static void test_stopped(void **state)
{
        struct owner o;
        (void)state;
        begin(&o);
        claimer_wake(&o.claimer, 1, 1);
        claimer_stop(&o.claimer);
        claimer_wake(&o.claimer, 1, 1);
        answer(DB_OK, 1); /* it was ours before we stopped */
        assert_int_equal(o.in_hand, 1);
        assert_int_equal(o.idle, 0);
        end_one(&o);
        fake_expect(NULL);
        assert_int_equal(o.idle, 1);
        begin(&o);
        claimer_wake(&o.claimer, 1, 1);
        claimer_deinit(&o.claimer);
        fake_expect(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_until_nothing_is_due),
                cmocka_unit_test(test_a_wake_while_a_claim_is_under_way),
                cmocka_unit_test(test_a_wake_without_room),
                cmocka_unit_test(test_stopped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
