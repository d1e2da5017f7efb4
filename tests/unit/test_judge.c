/* test_judge.c - which processes the reaper holds for dead, and which it kills. */
#include "tests/unit/cm.h"

#include <errno.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "reaperd/judge.h"

#define BOOT  "11111111-1111-1111-1111-111111111111"
#define OTHER "22222222-2222-2222-2222-222222222222"

static int probe_result;
static unsigned long long probe_start;
static bool probed;

static int probe(pid_t pid, unsigned long long *ret_ticks)
{
        assert_int_equal(pid, 77);
        probed = true;
        if (probe_result == 0)
                *ret_ticks = probe_start;
        return probe_result;
}

struct row {
        const char *what, *host, *boot, *daemon;
        int result; /* of the probe */
        unsigned long long start;
        int64_t silent_ms;
        enum judgement judged;
        const char *evidence;
};

static const struct row rows[] = {
        {"runs", "here", BOOT, "workerd", 0, 500, 0, JUDGED_ALIVE, ""},
        {"pid is gone", "here", BOOT, "workerd", -ENOENT, 0, 0, JUDGED_GONE, "pid 77 does not exist"},
        {"pid is gone while we read", "here", BOOT, "workerd", -ESRCH, 0, 0, JUDGED_GONE,
         "pid 77 does not exist"},
        {"pid was given to another", "here", BOOT, "workerd", 0, 501, 0, JUDGED_GONE,
         "pid 77 is another process: started at tick 501, not 500"},
        {"cannot be read: no proof", "here", BOOT, "workerd", -EACCES, 0, 0, JUDGED_ALIVE, ""},
        {"another boot that beats: another machine of our name", "here", OTHER, "workerd", -ENOENT, 0, 74999,
         JUDGED_ALIVE, ""},
        {"another boot", "here", OTHER, "workerd", 0, 500, 75000, JUDGED_REBOOTED,
         "silent for 75 s: beat 12; the host has booted since: boot " OTHER ", now " BOOT},
        {"proof comes before silence", "here", BOOT, "workerd", -ENOENT, 0, 90000, JUDGED_GONE,
         "pid 77 does not exist"},

        {"silent, not for long", "here", BOOT, "workerd", 0, 500, 44999, JUDGED_ALIVE, ""},
        {"a worker of ours that hangs", "here", BOOT, "workerd", 0, 500, 45000, JUDGED_HUNG,
         "silent for 45 s: beat 12"},
        {"the same, and cannot be read", "here", BOOT, "workerd", -EACCES, 0, 45000, JUDGED_HUNG,
         "silent for 45 s: beat 12"},
        {"could not be killed", "here", BOOT, "workerd", 0, 500, 75000, JUDGED_SILENT,
         "silent for 75 s: beat 12"},
        {"another daemon of ours hangs", "here", BOOT, "webhookd", 0, 500, 74999, JUDGED_ALIVE, ""},
        {"hangs for long", "here", BOOT, "webhookd", 0, 500, 75000, JUDGED_SILENT,
         "silent for 75 s: beat 12"},

        {"afar, silent, not for long", "there", BOOT, "workerd", -ENOENT, 0, 74999, JUDGED_ALIVE, ""},
        {"afar, silent", "there", BOOT, "workerd", 0, 500, 75000, JUDGED_SILENT, "silent for 75 s: beat 12"},
        {"afar, another boot than ours", "there", OTHER, "workerd", 0, 500, 0, JUDGED_ALIVE, ""},
};

/* A row, seen by a reaper that has had its database for `heard_ms`. */
static void check(const struct row *r, int64_t heard_ms, enum judgement expected)
{
        const struct judge_host host = {.name = "here",
                                        .boot_id = BOOT,
                                        .freeze_after_ms = 45000,
                                        .takeover_after_ms = 75000,
                                        .heard_ms = heard_ms,
                                        .start_time = probe};
        const struct judge_process p = {.host = r->host,
                                        .boot_id = r->boot,
                                        .daemon = r->daemon,
                                        .pid = 77,
                                        .pid_start = 500,
                                        .beats = 12,
                                        .silent_ms = r->silent_ms};
        struct strbuf evidence = STRBUF_INIT;
        probe_result = r->result;
        probe_start = r->start;
        probed = false;
        enum judgement judged = judge(&p, &host, &evidence);
        if (judged != expected)
                fail_msg("%s: judged %d, not %d", r->what, (int)judged, (int)expected);
        assert_string_equal(evidence.buf, expected == JUDGED_ALIVE ? "" : r->evidence);
        if (strcmp(r->host, "there") == 0)
                assert_false(probed); /* our pids say nothing about theirs */
        strbuf_deinit(&evidence);
}

static void test_judge(void **state)
{
        (void)state;
        for (const struct row *r = rows; r < rows + ARRAY_SIZE(rows); r++)
                check(r, 45000, r->judged);
}

/* A worker may wait for its next attempt while the reaper has its database again: only that changes. */
static void test_after_an_outage(void **state)
{
        (void)state;
        for (const struct row *r = rows; r < rows + ARRAY_SIZE(rows); r++)
                check(r, 44999, r->judged == JUDGED_HUNG ? JUDGED_ALIVE : r->judged);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge),
                                           cmocka_unit_test(test_after_an_outage)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
