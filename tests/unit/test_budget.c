/* The bound of all bodies together: who reads on, who waits, and that somebody always goes on. */
#include "web/budget.h"

#include "common/loop.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

struct reader {
        struct budget *budget;
        struct budget_claim claim;
        int64_t wants; /* taken when there is room */
        int tries;
};

static void on_room(void *arg)
{
        struct reader *r = arg;
        r->tries++;
        (void)budget_take(r->budget, &r->claim, r->wants);
}

static struct loop *loop;
static struct budget *budget;

static int setup(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        budget = budget_new(loop, 100);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        budget_free(budget);
        loop_free(loop);
        return 0;
}

static struct reader reader(int64_t wants)
{
        return (struct reader){.budget = budget, .wants = wants, .claim = {.on_room = on_room}};
}

static void test_within(void **state)
{
        struct reader a = reader(60), b = reader(40);
        (void)state;
        assert_true(budget_take(budget, &a.claim, 60));
        assert_true(budget_take(budget, &b.claim, 40));
        assert_int_equal(budget_used(budget), 100);
        budget_return(budget, &a.claim);
        assert_int_equal(budget_used(budget), 40);
        budget_return(budget, &b.claim);
        assert_int_equal(budget_used(budget), 0);
}

static void test_one_goes_beyond(void **state)
{
        struct reader a = reader(1), b = reader(1);
        (void)state;
        a.claim.arg = &a;
        b.claim.arg = &b;
        assert_true(budget_take(budget, &a.claim, 50));
        assert_true(budget_take(budget, &b.claim, 50));
        assert_true(budget_take(budget, &a.claim, 30));
        assert_false(budget_take(budget, &b.claim, 1));
        assert_true(budget_take(budget, &a.claim, 30));
        assert_int_equal(budget_used(budget), 160);
        budget_return(budget, &a.claim);
        assert_int_equal(b.tries, 0); /* nobody is called from inside */
        assert_true(loop_run_pending(loop));
        assert_int_equal(b.tries, 1);
        assert_int_equal(budget_used(budget), 51);
        budget_return(budget, &b.claim);
}

static void test_waiters_get_one_try_in_order(void **state)
{
        struct reader full = reader(0), beyond = reader(0), waiters[4];
        (void)state;
        assert_true(budget_take(budget, &full.claim, 100));
        assert_true(budget_take(budget, &beyond.claim, 1));
        for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
                waiters[i] = reader(50);
                waiters[i].claim.arg = &waiters[i];
                assert_false(budget_take(budget, &waiters[i].claim, 50));
        }
        budget_return(budget, &full.claim);
        (void)loop_run_pending(loop);
        /* 1 is taken by `beyond`: the first fits, the second would exceed and waits again, and so do the
         * others */
        assert_true(waiters[0].claim.bytes == 50 && !waiters[0].claim.waiting);
        for (size_t i = 1; i < ARRAY_SIZE(waiters); i++)
                assert_true(waiters[i].claim.waiting && waiters[i].tries == 1);
        budget_return(budget, &beyond.claim);
        (void)loop_run_pending(loop);
        assert_int_equal(waiters[1].claim.bytes, 50);
        /* the bound is reached, so that nobody else is even asked */
        assert_int_equal(waiters[2].tries, 1);
        for (size_t i = 0; i < ARRAY_SIZE(waiters); i++)
                budget_return(budget, &waiters[i].claim);
        assert_int_equal(budget_used(budget), 0);
}

static void test_leaving_while_waiting(void **state)
{
        struct reader a = reader(0), b = reader(0), c = reader(7);
        (void)state;
        c.claim.arg = &c;
        assert_true(budget_take(budget, &a.claim, 100));
        assert_true(budget_take(budget, &b.claim, 1));
        assert_false(budget_take(budget, &c.claim, 7));
        budget_return(budget, &c.claim);
        budget_return(budget, &a.claim);
        budget_return(budget, &b.claim);
        (void)loop_run_pending(loop);
        assert_int_equal(c.tries, 0);
}

static void test_limit_raised(void **state)
{
        struct reader a = reader(0), b = reader(0), c = reader(7);
        (void)state;
        c.claim.arg = &c;
        assert_true(budget_take(budget, &a.claim, 100));
        assert_true(budget_take(budget, &b.claim, 1));
        assert_false(budget_take(budget, &c.claim, 7));
        budget_set_limit(budget, 200);
        (void)loop_run_pending(loop);
        assert_int_equal(c.claim.bytes, 7);
        budget_return(budget, &a.claim);
        budget_return(budget, &b.claim);
        budget_return(budget, &c.claim);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_within, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_goes_beyond, setup, teardown),
                cmocka_unit_test_setup_teardown(test_waiters_get_one_try_in_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_leaving_while_waiting, setup, teardown),
                cmocka_unit_test_setup_teardown(test_limit_raised, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
