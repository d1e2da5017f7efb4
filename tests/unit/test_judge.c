/* test_judge.c - which processes the reaper holds for dead (R-6 tier 1). */
#include "tests/unit/cm.h"

#include <errno.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "reaperd/judge.h"

#define BOOT  "11111111-1111-1111-1111-111111111111"
#define OTHER "22222222-2222-2222-2222-222222222222"

static int probe_result;
static unsigned long long probe_start;

static int probe(pid_t pid, unsigned long long *ret_ticks)
{
        assert_int_equal(pid, 77);
        if (probe_result == 0)
                *ret_ticks = probe_start;
        return probe_result;
}

static void test_judge(void **state)
{
        static const struct {
                const char *what, *boot;
                int result;
                unsigned long long start;
                const char *evidence; /* NULL: not gone */
        } rows[] = {
                {"runs", BOOT, 0, 500, NULL},
                {"pid is gone", BOOT, -ENOENT, 0, "pid 77 does not exist"},
                {"pid is gone while we read", BOOT, -ESRCH, 0, "pid 77 does not exist"},
                {"pid was given to another", BOOT, 0, 501,
                 "pid 77 is another process: started at tick 501, not 500"},
                {"cannot be read: no proof", BOOT, -EACCES, 0, NULL},
                {"another boot", OTHER, 0, 500, "the host has booted since: boot " OTHER ", now " BOOT},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct strbuf evidence = STRBUF_INIT;
                const struct judge_process p = {.boot_id = rows[i].boot, .pid = 77, .pid_start = 500};
                const struct judge_host host = {.boot_id = BOOT, .start_time = probe};
                probe_result = rows[i].result;
                probe_start = rows[i].start;
                bool gone = judge_is_gone(&p, &host, &evidence);
                if (gone != (rows[i].evidence != NULL))
                        fail_msg("%s: %s", rows[i].what, gone ? "gone" : "not gone");
                assert_string_equal(evidence.buf, gone ? rows[i].evidence : "");
                strbuf_deinit(&evidence);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
