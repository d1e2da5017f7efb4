/* Counters of several processes on one page: nothing is lost, nothing goes back, and Prometheus can read it.
 */
#include "common/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics_page.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

struct page {
        struct metrics_page *page;
        int fd;
};

static int setup(void **state)
{
        struct page *p = xcalloc(1, sizeof(*p));
        *state = p;
        unsetenv(CONTRACT_ENV_METRICS_FD);
        unsetenv(CONTRACT_ENV_METRICS_SLOT);
        return metrics_page_create(&p->page, &p->fd);
}

static int teardown(void **state)
{
        struct page *p = *state;
        munmap(p->page, sizeof(struct metrics_page));
        close(p->fd);
        free(p);
        return 0;
}

/* Runs fn in a child that finds the page the way a daemon does. */
static void in_child(const struct page *p, int slot, int outcome, void (*fn)(void))
{
        pid_t pid = fork();
        int status;
        assert_true(pid >= 0);
        if (pid == 0) {
                char number[16];
                (void)snprintf(number, sizeof(number), "%d", dup(p->fd));
                setenv(CONTRACT_ENV_METRICS_FD, number, 1);
                (void)snprintf(number, sizeof(number), "%d", slot);
                setenv(CONTRACT_ENV_METRICS_SLOT, number, 1);
                if (metrics_init("ignored") != outcome)
                        _exit(1);
                fn();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void work(void)
{
        metrics_count(METRIC_JOBS_DONE, 3);
        metrics_count(METRIC_JOBS_DONE, 4);
        metrics_set(METRIC_JOBS_RUNNING, 2);
}

static void assert_printed(const char *line, bool there)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        metrics_print(&text);
        _cleanup_(freep) char *whole = xasprintf("\n%s\n", line);
        if ((strstr(text.buf, whole) != NULL) != there)
                fail_msg("%s \"%s\" in:\n%s", there ? "no" : "a", line, text.buf);
}

#define DONE(n)    "orch_jobs_finished_total{daemon=\"workerd\",outcome=\"success\"} " n
#define RUNNING(n) "orch_jobs_running{daemon=\"workerd\"} " n

static void test_counters_outlive_their_process(void **state)
{
        struct page *p = *state;
        int one = metrics_slot_take(p->page, "workerd", 0), two = metrics_slot_take(p->page, "workerd", 0);
        int own = metrics_slot_take(p->page, "webhookd", getpid());
        assert_true(one != two && two != own && one >= 0);
        metrics_use(p->page, own);
        in_child(p, one, METRICS_OK, work);
        in_child(p, two, METRICS_OK, work);
        assert_printed(DONE("14"), true);
        assert_printed(RUNNING("4"), true);
        metrics_slot_fold(p->page, one);
        assert_printed(DONE("14"), true);
        assert_printed(RUNNING("2"), true);
        metrics_slot_fold(p->page, one); /* again: nothing */
        assert_int_equal(metrics_slot_take(p->page, "workerd", 0), one);
        assert_printed(DONE("14"), true);
        in_child(p, one, METRICS_OK, work);
        metrics_slot_fold(p->page, two);
        assert_printed(DONE("21"), true);
        assert_printed("orch_jobs_finished_total{daemon=\"webhookd\",outcome=\"success\"} 0", true);
        assert_printed("orch_build_info{daemon=\"workerd\"} 1", true);
        assert_int_equal(metrics_get(METRIC_JOBS_DONE), 0);
}

static void test_a_slot_may_change_its_daemon(void **state)
{
        struct page *p = *state;
        int slot = metrics_slot_take(p->page, "workerd", 0);
        in_child(p, slot, METRICS_OK, work);
        metrics_slot_fold(p->page, slot);
        assert_int_equal(metrics_slot_take(p->page, "reaperd", 0), slot);
        in_child(p, slot, METRICS_OK, work);
        metrics_use(p->page, slot);
        assert_printed(DONE("7"), true);
        assert_printed("orch_jobs_finished_total{daemon=\"reaperd\",outcome=\"success\"} 7", true);
}

static void test_counting_for_others(void **state)
{
        struct page *p = *state;
        metrics_use(p->page, metrics_slot_take(p->page, "supervisor", getpid()));
        metrics_count_for(p->page, "workerd", METRIC_RESTARTS, 2);
        metrics_count_for(p->page, "workerd", METRIC_RESTARTS, 1);
        assert_printed("orch_restarts_total{daemon=\"workerd\"} 3", true);
        assert_printed("orch_restarts_total{daemon=\"supervisor\"} 0", true);
}

#define FOLDS 50000

static _Noreturn void read_on(struct metrics_page *page, int started_fd)
{
        uint64_t last = 0;
        if (write(started_fd, "x", 1) != 1)
                _exit(2);
        while (last < FOLDS) {
                uint64_t now = metrics_page_sum(page, 0, METRIC_JOBS_DONE);
                if (now < last)
                        _exit(1);
                last = now;
        }
        _exit(0);
}

/* A reader in another process, while slots are taken, counted on and folded as fast as that goes. The slot is
 * one of the last, so that much of a reading lies between the base and it. */
static void test_never_goes_back_while_folding(void **state)
{
        struct page *p = *state;
        int slot = 0, status, started[2];
        char c;
        while (slot < METRICS_SLOTS_MAX - 1)
                slot = metrics_slot_take(p->page, "workerd", 0);
        assert_int_equal(pipe(started), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                read_on(p->page, started[1]);
        assert_int_equal(read(started[0], &c, 1), 1);
        for (int i = 0; i < FOLDS; i++) {
                metrics_use(p->page, slot);
                metrics_count(METRIC_JOBS_DONE, 1);
                metrics_slot_fold(p->page, slot);
                slot = metrics_slot_take(p->page, "workerd", 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close(started[0]);
        close(started[1]);
}

static void test_slots_and_kinds_run_out(void **state)
{
        struct page *p = *state;
        for (int i = 0; i < METRICS_SLOTS_MAX; i++)
                assert_int_equal(metrics_slot_take(p->page, "workerd", 0), i);
        assert_int_equal(metrics_slot_take(p->page, "workerd", 0), -ENOSPC);
        metrics_slot_fold(p->page, 7);
        for (int i = 1; i < METRICS_KINDS_MAX; i++) {
                char name[32];
                (void)snprintf(name, sizeof(name), "daemon%d", i);
                assert_int_equal(metrics_slot_take(p->page, name, 0), 7);
                metrics_slot_fold(p->page, 7);
        }
        assert_int_equal(metrics_slot_take(p->page, "one-too-many", 0), -ENOSPC);
        assert_int_equal(metrics_slot_take(p->page, "workerd", 0), 7);
}

static void test_the_page_cannot_be_cut(void **state)
{
        struct page *p = *state;
        assert_int_equal(ftruncate(p->fd, 0), -1);
        assert_int_equal(errno, EPERM);
        assert_true((fcntl(p->fd, F_GETFD) & FD_CLOEXEC) != 0);
}

/* What the environment may say, and what comes of it. */
static void test_init(void **state)
{
        struct page *p = *state;
        char fd[16], other[16];
        int foreign = memfd_create("other", 0);
        assert_true(foreign >= 0 && ftruncate(foreign, sizeof(struct metrics_page)) == 0);
        (void)snprintf(fd, sizeof(fd), "%d", p->fd);
        (void)snprintf(other, sizeof(other), "%d", foreign);
        const struct {
                const char *fd, *slot;
                int r;
        } rows[] = {
                {NULL, NULL, METRICS_OK}, {other, "0", METRICS_APART}, {"9999", "0", METRICS_APART},
                {fd, NULL, -EINVAL},      {fd, "256", -EINVAL},        {fd, "-1", -EINVAL},
                {"x", "0", -EINVAL},      {"-1", "0", -EINVAL},        {"99999999999", "0", -EINVAL},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                if (rows[i].fd != NULL)
                        setenv(CONTRACT_ENV_METRICS_FD, rows[i].fd, 1);
                if (rows[i].slot != NULL)
                        setenv(CONTRACT_ENV_METRICS_SLOT, rows[i].slot, 1);
                else
                        unsetenv(CONTRACT_ENV_METRICS_SLOT);
                int r = metrics_init("testd");
                if (r != rows[i].r)
                        fail_msg("row %zu: %d", i, r);
                if (r < 0)
                        continue;
                metrics_count(METRIC_FENCED, 5);
                assert_int_equal(metrics_get(METRIC_FENCED), 5);
                assert_printed("orch_fenced_total{daemon=\"testd\"} 5", true);
        }
        close(foreign);
}

/* ---- pages of other builds ---- */

/* Makes the page one of a build that has another metric in the place of one of ours. */
static void rename_entry(struct metrics_page *page, enum metric_id id, const char *name)
{
        (void)snprintf(page->entries[id].name, METRICS_TEXT_LEN, "%s", name);
}

#define OTHER(n) "orch_other_total{daemon=\"workerd\",outcome=\"success\"} " n

static void test_a_page_of_another_build_is_taken_over(void **state)
{
        struct page *p = *state;
        struct metrics_page *page;
        int slot = metrics_slot_take(p->page, "workerd", 0);
        in_child(p, slot, METRICS_OK, work);
        rename_entry(p->page, METRIC_JOBS_DONE, "orch_other_total");
        assert_int_equal(metrics_page_take(p->fd, &page), METRICS_OK);
        assert_int_equal(page->n_entries, METRIC_COUNT + 1);
        metrics_use(page, metrics_slot_take(page, "workerd", 0));
        assert_printed(OTHER("7"), true);
        assert_printed(DONE("0"), true);
        metrics_slot_fold(page, slot);
        metrics_count(METRIC_JOBS_DONE, 5);
        metrics_count_for(page, "workerd", METRIC_JOBS_DONE, 1);
        assert_printed(OTHER("7"), true);
        assert_printed(DONE("6"), true);
        munmap(page, sizeof(*page));
        assert_int_equal(metrics_page_take(p->fd, &page), METRICS_OK); /* once more: all are there */
        assert_int_equal(page->n_entries, METRIC_COUNT + 1);
        munmap(page, sizeof(*page));
}

static void test_what_is_added_stands_with_its_family(void **state)
{
        struct page *p = *state;
        struct metrics_page *page;
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        rename_entry(p->page, METRIC_HTTP_2XX, "orch_other_total");
        assert_int_equal(metrics_page_take(p->fd, &page), METRICS_OK);
        metrics_use(page, metrics_slot_take(page, "webhookd", 0));
        metrics_print(&text);
        const char *first = strstr(text.buf, "\norch_http_requests_total{"), *line = first;
        for (int i = 0; i < 4; i++, line = strchr(line + 1, '\n'))
                assert_memory_equal(line, "\norch_http_requests_total{", 26);
        assert_non_null(strstr(first, "class=\"2xx\"} 0\n"));
        munmap(page, sizeof(*page));
}

static void count_what_the_page_lacks(void)
{
        metrics_count(METRIC_JOBS_DONE, 3);
        metrics_count(METRIC_JOBS_FAILED, 2);
        assert_int_equal(metrics_get(METRIC_JOBS_DONE), 0);
        assert_int_equal(metrics_get(METRIC_JOBS_FAILED), 2);
}

static void test_a_process_of_another_build_counts_what_the_page_has(void **state)
{
        struct page *p = *state;
        rename_entry(p->page, METRIC_JOBS_DONE, "orch_other_total");
        int slot = metrics_slot_take(p->page, "workerd", 0);
        in_child(p, slot, METRICS_APART, count_what_the_page_lacks);
        metrics_use(p->page, metrics_slot_take(p->page, "webhookd", 0));
        assert_printed(OTHER("0"), true);
        assert_printed("orch_jobs_finished_total{daemon=\"workerd\",outcome=\"failed\"} 2", true);
}

static void test_pages_that_are_not_taken_over(void **state)
{
        struct page *p = *state;
        struct metrics_page *page = NULL;
        int unsealed = memfd_create("other", MFD_ALLOW_SEALING), small = memfd_create("small", 0);
        assert_true(unsealed >= 0 && ftruncate(unsealed, sizeof(*page)) == 0);
        assert_int_equal(pwrite(unsealed, &p->page->format, sizeof(p->page->format), 0),
                         sizeof(p->page->format));
        assert_int_equal(metrics_page_take(unsealed, &page), METRICS_APART);
        assert_int_equal(metrics_page_take(small, &page), METRICS_APART);
        assert_int_equal(metrics_page_take(9999, &page), METRICS_APART);
        p->page->n_entries = METRICS_ENTRIES_MAX; /* full, and one of ours is missing */
        rename_entry(p->page, METRIC_JOBS_DONE, "orch_other_total");
        assert_int_equal(metrics_page_take(p->fd, &page), METRICS_APART);
        p->page->format++;
        assert_int_equal(metrics_page_take(p->fd, &page), METRICS_APART);
        assert_null(page);
        close(unsealed);
        close(small);
}

static void test_log_lines_are_counted(void **state)
{
        struct page *p = *state;
        metrics_use(p->page, metrics_slot_take(p->page, "workerd", 0));
        int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
        assert_true(saved >= 0 && dup2(null, STDERR_FILENO) >= 0);
        log_init("test", LOGL_ERROR);
        log_warning(EV("not.printed"));
        log_error(EV("printed"));
        log_info(EV("not.counted"));
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        close(saved);
        close(null);
        assert_int_equal(metrics_get(METRIC_LOG_WARNINGS), 1);
        assert_int_equal(metrics_get(METRIC_LOG_ERRORS), 1);
}

/* The rules of `promtool check metrics` that the table could break, and those of the text format. */
static void test_the_table(void **state)
{
        (void)state;
        for (size_t i = 0; i < METRIC_COUNT; i++) {
                const struct metric_row *row = &metric_rows[i];
                size_t len = strlen(row->name);
                bool total = len > 6 && strcmp(row->name + len - 6, "_total") == 0;
                assert_int_equal(total, row->kind == METRIC_COUNTER);
                assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), len);
                assert_memory_equal(row->name, "orch_", 5);
                assert_null(strpbrk(row->help, "\\\n"));
                for (size_t j = 0; j < i; j++) {
                        if (strcmp(metric_rows[j].name, row->name) != 0)
                                continue;
                        assert_string_equal(metric_rows[j].help, row->help);
                        assert_string_equal(metric_rows[i - 1].name,
                                            row->name); /* lines of a name stand together */
                        assert_string_not_equal(metric_rows[j].labels, row->labels);
                        assert_int_equal(metric_rows[j].kind, row->kind);
                }
        }
}

static size_t count_of(const char *text, const char *what)
{
        size_t n = 0;
        for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
                n++;
        return n;
}

static void test_heads_come_once(void **state)
{
        struct page *p = *state;
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        metrics_use(p->page, metrics_slot_take(p->page, "workerd", 0));
        (void)metrics_slot_take(p->page, "webhookd", 0);
        metrics_set(METRIC_HTTP_OPEN, -2);
        metrics_print(&text);
        assert_int_equal(count_of(text.buf, "# TYPE orch_http_requests_total counter\n"), 1);
        assert_int_equal(count_of(text.buf, "# HELP orch_http_requests_total "), 1);
        assert_int_equal(count_of(text.buf, "\norch_http_requests_total{daemon=\"webhookd\",class="), 4);
        assert_int_equal(count_of(text.buf, "\norch_http_connections{daemon=\"workerd\"} -2\n"), 1);
}

static void test_nothing_without_init(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        (void)state;
        metrics_count(METRIC_FENCED, 1);
        metrics_set(METRIC_JOBS_RUNNING, 1);
        assert_int_equal(metrics_get(METRIC_FENCED), 0);
        metrics_print(&text);
        assert_int_equal(text.len, 0);
}

int main(void)
{
#define WITH_PAGE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_without_init), /* first: the others leave a page behind */
                WITH_PAGE(test_counters_outlive_their_process),
                WITH_PAGE(test_a_slot_may_change_its_daemon),
                WITH_PAGE(test_counting_for_others),
                WITH_PAGE(test_never_goes_back_while_folding),
                WITH_PAGE(test_slots_and_kinds_run_out),
                WITH_PAGE(test_the_page_cannot_be_cut),
                WITH_PAGE(test_init),
                WITH_PAGE(test_a_page_of_another_build_is_taken_over),
                WITH_PAGE(test_what_is_added_stands_with_its_family),
                WITH_PAGE(test_a_process_of_another_build_counts_what_the_page_has),
                WITH_PAGE(test_pages_that_are_not_taken_over),
                WITH_PAGE(test_log_lines_are_counted),
                WITH_PAGE(test_heads_come_once),
                cmocka_unit_test(test_the_table),
        };
        return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
