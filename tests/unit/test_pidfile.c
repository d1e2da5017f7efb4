/* One supervisor per state folder: the lock decides, the pid is for people. */
#include "supervisor/pidfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static char folder[64];
static char file[128];

static int make_folder(void **state)
{
        (void)state;
        (void)snprintf(folder, sizeof(folder), "/tmp/test_pidfile.XXXXXX");
        if (mkdtemp(folder) == NULL)
                return -1;
        (void)snprintf(file, sizeof(file), "%s/supervisor.pid", folder);
        return 0;
}

static int remove_folder(void **state)
{
        (void)state;
        (void)unlink(file);
        return rmdir(folder);
}

static void assert_content(const char *expected)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        assert_int_equal(strbuf_read_file(&sb, file, 100), 0);
        assert_string_equal(sb.buf, expected);
}

static void test_writes_its_pid_and_empties_it(void **state)
{
        _cleanup_(freep) char *mine = xasprintf("%d\n", (int)getpid());
        int fd = -1;
        (void)state;
        assert_int_equal(pidfile_take(folder, &fd, NULL), 0);
        assert_content(mine);
        pidfile_release(fd);
        assert_content("");
}

static void test_second_one_is_told_who_holds_it(void **state)
{
        _cleanup_(freep) char *pid = xasprintf("(pid %d)", (int)getpid());
        struct errinfo err = ERRINFO_INIT;
        int fd = -1, second = -1;
        (void)state;
        assert_int_equal(pidfile_take(folder, &fd, NULL), 0);
        assert_int_equal(pidfile_take(folder, &second, &err), -EEXIST);
        assert_non_null(strstr(err.text, pid));
        assert_non_null(strstr(err.text, file));
        assert_int_equal(second, -1);
        pidfile_release(fd);
        assert_int_equal(pidfile_take(folder, &second, NULL), 0);
        pidfile_release(second);
}

/* What a killed supervisor leaves: a longer text, and no lock. */
static void test_takes_over_what_a_dead_one_left(void **state)
{
        _cleanup_(freep) char *mine = xasprintf("%d\n", (int)getpid());
        FILE *f = fopen(file, "w");
        int fd = -1;
        (void)state;
        assert_non_null(f);
        assert_true(fputs("4194304999\nand more\n", f) > 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(pidfile_take(folder, &fd, NULL), 0);
        assert_content(mine);
        pidfile_release(fd);
}

static void test_makes_the_folder_but_not_its_parents(void **state)
{
        _cleanup_(freep) char *child = xasprintf("%s/state", folder);
        _cleanup_(freep) char *grandchild = xasprintf("%s/none/state", folder);
        _cleanup_(freep) char *child_file = xasprintf("%s/supervisor.pid", child);
        struct errinfo err = ERRINFO_INIT;
        struct stat st;
        int fd = -1;
        (void)state;
        assert_int_equal(pidfile_take(child, &fd, NULL), 0);
        assert_int_equal(stat(child, &st), 0);
        assert_int_equal(st.st_mode & 0027, 0); /* others read nothing, the group writes nothing */
        pidfile_release(fd);
        assert_int_equal(unlink(child_file), 0);
        assert_int_equal(rmdir(child), 0);
        assert_int_equal(pidfile_take(grandchild, &fd, &err), -ENOENT);
        assert_non_null(strstr(err.text, grandchild));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_writes_its_pid_and_empties_it),
                cmocka_unit_test(test_second_one_is_told_who_holds_it),
                cmocka_unit_test(test_takes_over_what_a_dead_one_left),
                cmocka_unit_test(test_makes_the_folder_but_not_its_parents),
        };
        return cmocka_run_group_tests_name("pidfile", tests, make_folder, remove_folder);
}
