/* The skeleton in a process of its own, with the test as its supervisor. */
#include "common/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/listen.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "tests/unit/cm.h"

#define DEADLINE_MS 10000

/* ---- the daemon under test; it tells what happens to it, a letter each, in a pipe ---- */

static struct {
        struct daemon *daemon;
        int trace_fd;
        const char *drained_at; /* the letter at which it is done; "" never */
} under_test;

static void trace(char c)
{
        if (write(under_test.trace_fd, &c, 1) != 1)
                _exit(99);
}

static void on_drain(void *arg, bool quick)
{
        char letter = quick ? 'q' : daemon_replaced(under_test.daemon) ? 'r' : 'd';
        if (arg != &under_test || !daemon_draining(under_test.daemon))
                letter = '!';
        trace(letter);
        if (strchr(under_test.drained_at, letter) != NULL)
                daemon_drained(under_test.daemon);
}

static void on_reload(void *arg, const struct options *opt)
{
        (void)arg;
        trace(opt == daemon_options(under_test.daemon) ? (char)('0' + opt->worker_slots) : '!');
}

static int run_daemon(char *const *args)
{
        static const struct daemon_def def = {
                .name = "testd", .summary = "Is tested.", .on_drain = on_drain, .on_reload = on_reload};
        char *argv[8] = {(char *)"orch-testd"};
        int argc = 1;
        for (; args[argc - 1] != NULL; argc++)
                argv[argc] = args[argc - 1];
        int r = daemon_new(argc, argv, &def, &under_test.daemon);
        if (r == 0) {
                daemon_set_arg(under_test.daemon, &under_test);
                daemon_busy(under_test.daemon, 2);
                daemon_ready(under_test.daemon);
                daemon_ready(under_test.daemon);
                r = daemon_run(under_test.daemon);
        }
        int code = daemon_exit_code(under_test.daemon, r);
        daemon_free(under_test.daemon);
        return code;
}

/* ---- the test's side ---- */

struct run {
        int early_signal; /* comes before the daemon's first line; 0: none */
        pid_t pid;
        int status_fd, trace_fd, log_fd;
        char config[64];
};

static void write_config(const struct run *r, const char *text)
{
        FILE *f = fopen(r->config, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* As the supervisor starts a daemon: a signal to it waits until somebody hears it. */
static void receive_early(int signo)
{
        sigset_t set;
        contract_signals(&set);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        if (signo != 0)
                (void)raise(signo);
}

static void start(struct run *r, const char *drained_at, const char *flag)
{
        int status[2], traces[2], logs[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status), 0);
        assert_int_equal(pipe2(traces, O_CLOEXEC), 0);
        assert_int_equal(pipe2(logs, O_CLOEXEC), 0);
        r->pid = fork();
        assert_true(r->pid >= 0);
        if (r->pid == 0) {
                char number[16], config[80];
                char *args[] = {config, (char *)flag, NULL};
                (void)snprintf(number, sizeof(number), "%d", status[1]);
                (void)snprintf(config, sizeof(config), "--config=%s", r->config);
                setenv(CONTRACT_ENV_STATUS_FD, number, 1);
                close(status[0]);
                under_test.trace_fd = traces[1];
                under_test.drained_at = drained_at;
                (void)dup2(logs[1], STDERR_FILENO);
                receive_early(r->early_signal);
                _exit(run_daemon(args));
        }
        close(status[1]);
        close(traces[1]);
        close(logs[1]);
        r->log_fd = logs[0];
        r->status_fd = status[0];
        r->trace_fd = traces[0];
}

static void await(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
}

static void expect_status(const struct run *r, enum contract_status_kind kind)
{
        struct contract_status s = {0};
        await(r->status_fd);
        assert_int_equal(recv(r->status_fd, &s, sizeof(s), 0), sizeof(s));
        assert_int_equal(s.kind, kind);
        assert_int_equal(s.busy, 2);
}

static void expect_trace(const struct run *r, char letter)
{
        char c = '\0';
        await(r->trace_fd);
        assert_int_equal(read(r->trace_fd, &c, 1), 1);
        assert_int_equal(c, letter);
}

/* Reads its log up to the end of a line with this text in it. */
static void expect_log(const struct run *r, const char *text)
{
        char line[1024];
        for (size_t n = 0;;) {
                await(r->log_fd);
                assert_true(n + 1 < sizeof(line));
                assert_int_equal(read(r->log_fd, line + n, 1), 1);
                line[++n] = '\0';
                if (line[n - 1] != '\n')
                        continue;
                if (strstr(line, text) != NULL)
                        return;
                n = 0;
        }
}

static void hang_up(struct run *r)
{
        closep(&r->status_fd);
        closep(&r->trace_fd);
        closep(&r->log_fd);
        r->status_fd = r->trace_fd = r->log_fd = -1;
}

/* It has left, having said nothing more. */
static void expect_exit(const struct run *r, int code)
{
        int status;
        char c;
        await(r->trace_fd);
        assert_int_equal(read(r->trace_fd, &c, 1), 0);
        assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), code);
}

static int setup(void **state)
{
        struct run *r = xcalloc(1, sizeof(*r));
        *state = r;
        (void)snprintf(r->config, sizeof(r->config), "/tmp/orch-daemon-XXXXXX");
        int fd = mkstemp(r->config);
        r->status_fd = r->trace_fd = r->log_fd = -1;
        return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
        struct run *r = *state;
        hang_up(r);
        int result = unlink(r->config);
        free(r);
        return result;
}

static void test_ready_then_drained(void **state)
{
        struct run *r = *state;
        start(r, "d", NULL);
        expect_status(r, CONTRACT_READY);
        kill(r->pid, SIGTERM);
        expect_status(r, CONTRACT_DRAINING);
        expect_trace(r, 'd');
        expect_exit(r, EXIT_OK);
        struct contract_status s;
        assert_int_equal(recv(r->status_fd, &s, sizeof(s), 0), 0); /* ready was said once */
}

static void test_a_signal_before_the_first_line_is_heard(void **state)
{
        static const struct {
                int signo;
                char letter;
        } rows[] = {{SIGTERM, 'd'}, {SIGINT, 'd'}, {CONTRACT_SIGNAL_REPLACED, 'r'}};
        struct run *r = *state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                r->early_signal = rows[i].signo;
                start(r, "dr", NULL);
                expect_trace(r, rows[i].letter);
                expect_exit(r, EXIT_OK);
                hang_up(r);
        }
}

static void test_replaced_drains_and_says_so(void **state)
{
        struct run *r = *state;
        start(r, "q", NULL);
        expect_status(r, CONTRACT_READY);
        kill(r->pid, CONTRACT_SIGNAL_REPLACED);
        expect_status(r, CONTRACT_DRAINING);
        expect_trace(r, 'r');
        kill(r->pid, SIGTERM); /* the whole suite is to stop now */
        expect_trace(r, 'q');
        expect_exit(r, EXIT_OK);
}

static void test_second_signal_is_quick(void **state)
{
        static const int second[] = {SIGTERM, SIGINT};
        struct run *r = *state;
        for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
                start(r, "q", NULL);
                expect_status(r, CONTRACT_READY);
                kill(r->pid, SIGTERM);
                expect_trace(r, 'd');
                kill(r->pid, second[i]);
                expect_trace(r, 'q');
                expect_exit(r, EXIT_OK);
                hang_up(r);
        }
}

static void test_interrupt_is_quick_at_once(void **state)
{
        struct run *r = *state;
        start(r, "q", NULL);
        expect_status(r, CONTRACT_READY);
        kill(r->pid, SIGINT);
        expect_trace(r, 'd');
        expect_trace(r, 'q');
        expect_exit(r, EXIT_OK);
}

static void test_supervisor_gone(void **state)
{
        struct run *r = *state;
        start(r, "d", NULL);
        expect_status(r, CONTRACT_READY);
        close(r->status_fd);
        r->status_fd = -1;
        expect_trace(r, 'd');
        expect_exit(r, EXIT_OK);
}

static void test_drain_timeout(void **state)
{
        struct run *r = *state;
        start(r, "q", "--drain-timeout=100ms");
        expect_status(r, CONTRACT_READY);
        kill(r->pid, SIGTERM);
        expect_trace(r, 'd');
        expect_trace(r, 'q');
        expect_exit(r, EXIT_OK);
}

static void test_reload(void **state)
{
        struct run *r = *state;
        write_config(r, "worker_slots = 3\n");
        start(r, "d", NULL);
        expect_status(r, CONTRACT_READY);
        write_config(r, "worker_slots = 4\nworkerd_count = 9\n");
        kill(r->pid, SIGHUP);
        expect_trace(r, '4');
        expect_status(r, CONTRACT_READY);
        expect_log(r, "event=config.needs-restart option=workerd_count kept=2 ignored=9");

        write_config(r, "worker_slots = none\n");
        kill(r->pid, SIGHUP); /* refused: the supervisor hears nothing of it */
        expect_log(r, "event=config.refused ");
        write_config(r, "worker_slots = 5\n");
        kill(r->pid, SIGHUP);
        expect_trace(r, '5');
        expect_status(r, CONTRACT_READY);
        kill(r->pid, SIGTERM);
        expect_status(r, CONTRACT_DRAINING);
        expect_trace(r, 'd');
        expect_exit(r, EXIT_OK);
}

static void test_ends_without_a_run(void **state)
{
        static const struct {
                const char *config, *flag;
                int code;
        } rows[] = {
                {"worker_slots = 3\n", "--check-config", EXIT_OK},
                {"worker_slots = none\n", "--check-config", EXIT_CONFIG},
                {"worker_slots = none\n", NULL, EXIT_CONFIG},
                {"", "--no-such-flag=1", EXIT_CONFIG},
                {"", "stray", EXIT_CONFIG},
        };
        struct run *r = *state;
        int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY);
        (void)fflush(stdout);
        assert_true(dup2(null, STDOUT_FILENO) >= 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                write_config(r, rows[i].config);
                start(r, "d", rows[i].flag);
                expect_exit(r, rows[i].code);
                hang_up(r);
        }
        assert_true(dup2(saved, STDOUT_FILENO) >= 0);
        close(saved);
        close(null);
}

/* These run in this process: daemon_new() changes it, so they come last. */
static void test_environment_is_cleaned(void **state)
{
        static const struct daemon_def def = {.name = "testd", .summary = "Is tested."};
        static const char *const gone[] = {"http_proxy", "HTTPS_PROXY", "All_Proxy", "SSLKEYLOGFILE"};
        char *argv[] = {(char *)"orch-testd", (char *)"--host_name=here", (char *)"--log_level=error", NULL};
        struct daemon *d = NULL;
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
                setenv(gone[i], "x", 1);
        setenv("proxy_of_nothing", "stays", 1);
        assert_int_equal(daemon_new(3, argv, &def, &d), 0);
        for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
                assert_null(getenv(gone[i]));
        assert_string_equal(getenv("proxy_of_nothing"), "stays");
        assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
        assert_string_equal(daemon_host(d), "here");
        daemon_ready(d); /* to nobody */
        daemon_drained(d);
        assert_int_equal(daemon_run(d), 0);
        daemon_free(d);
        daemon_free(NULL);
}

static void test_listeners(void **state)
{
        static const struct daemon_def def = {.name = "testd", .summary = "Is tested."};
        char *argv[] = {(char *)"orch-testd", (char *)"--log_level=error", NULL};
        struct daemon *d = NULL;
        char number[16];
        int fd, plain = socket(AF_INET, SOCK_STREAM, 0);
        (void)state;
        assert_int_equal(daemon_new(2, argv, &def, &d), 0);
        assert_true(strlen(daemon_host(d)) > 0);
        int own = daemon_listener(d, "ORCH_TEST_LISTEN", "127.0.0.1:0");
        assert_true(own >= 0 && listen_port(own) > 0);
        assert_int_equal(fcntl(own, F_SETFL, 0), 0);
        assert_int_equal(fcntl(own, F_SETFD, 0), 0);
        (void)snprintf(number, sizeof(number), "%d", own);
        setenv("ORCH_TEST_LISTEN", number, 1);
        fd = daemon_listener(d, "ORCH_TEST_LISTEN", "not even looked at");
        assert_int_equal(fd, own);
        assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);

        int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
        assert_true(dup2(null, STDERR_FILENO) >= 0);
        (void)snprintf(number, sizeof(number), "%d", plain);
        setenv("ORCH_TEST_LISTEN", number, 1);
        assert_int_equal(daemon_listener(d, "ORCH_TEST_LISTEN", "127.0.0.1:0"), -ENOTCONN);
        setenv("ORCH_TEST_LISTEN", "seven", 1);
        assert_int_equal(daemon_listener(d, "ORCH_TEST_LISTEN", "127.0.0.1:0"), -EINVAL);
        unsetenv("ORCH_TEST_LISTEN");
        assert_int_equal(daemon_listener(d, "ORCH_TEST_LISTEN", "nowhere"), -EINVAL);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        close(saved);
        close(null);
        close(own);
        close(plain);
        daemon_free(d);
}

int main(void)
{
#define WITH_CONFIG(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                WITH_CONFIG(test_ready_then_drained),
                WITH_CONFIG(test_a_signal_before_the_first_line_is_heard),
                WITH_CONFIG(test_replaced_drains_and_says_so),
                WITH_CONFIG(test_second_signal_is_quick),
                WITH_CONFIG(test_interrupt_is_quick_at_once),
                WITH_CONFIG(test_supervisor_gone),
                WITH_CONFIG(test_drain_timeout),
                WITH_CONFIG(test_reload),
                WITH_CONFIG(test_ends_without_a_run),
                cmocka_unit_test(test_environment_is_cleaned),
                cmocka_unit_test(test_listeners),
        };
        return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
