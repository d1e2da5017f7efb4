/*
 * agent.c - the agent of the chaos runs: leaves what its role owes, and a record of all it has done.
 *
 *     chaos_agent RECORD SEED
 *
 * RECORD is one file for all agents of all hosts. Each act is one line, written at once at its end, so the
 * order of the lines is the order of the acts, whatever clocks say: `start`, `tick` while at work, `effect`
 * (its one act that others would see), `end`; `WHAT JOB EPOCH PID BOOTTIME_NS UNIX_NS ITEM ROLE STAGE
 * RUN_DIR`. Job and epoch are read from the name of the run folder: no test tells the agent what to believe.
 *
 * SEED, job and epoch decide how long it works, whether it heeds SIGTERM, and whether it leaves a process
 * that has detached itself and ticks on. As the project's test command it only works and says yes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS      50
#define WORK_MIN_MS  100
#define WORK_MAX_MS  2000
#define LONG_TIMES   4    /* so much longer do some work: long enough to be taken over, adopted, frozen */
#define DETACHED_MS  1000 /* how long a detached process outlasts the agent, if it is let */
#define TEXT_MAX     1024
#define ONE_IN(n, h) ((h) % (n) == 0)

struct agent {
        int record_fd;
        const char *run_dir;
        const char *item;
        const char *role;
        const char *stage;
        const char *docs;
        long long job;
        long long epoch;
};

struct plan {
        int work_ms;
        bool stubborn; /* ignores SIGTERM */
        bool detaches;
        bool rejects; /* as the reviewer, the first time: back to development (P-5) */
};

static _Noreturn void fail(const char *what)
{
        (void)fprintf(stderr, "chaos_agent: %s: %s\n", what, strerror(errno));
        exit(1);
}

static const char *need_env(const char *name)
{
        const char *value = getenv(name);
        if (value == NULL || *value == '\0') {
                (void)fprintf(stderr, "chaos_agent: %s is not set\n", name);
                exit(2);
        }
        return value;
}

/* ---- what it will do ---- */

static uint64_t mix(uint64_t h)
{
        h ^= h >> 30;
        h *= 0xbf58476d1ce4e5b9U;
        h ^= h >> 27;
        h *= 0x94d049bb133111ebU;
        return h ^ (h >> 31);
}

static uint64_t hash_text(uint64_t h, const char *text)
{
        for (; *text != '\0'; text++)
                h = mix(h + (unsigned char)*text);
        return h;
}

static struct plan make_plan(const struct agent *a, uint64_t seed)
{
        uint64_t h = mix(mix(seed + (uint64_t)a->job) + (uint64_t)a->epoch);
        return (struct plan){
                .work_ms = (WORK_MIN_MS + (int)(h % (WORK_MAX_MS - WORK_MIN_MS))) *
                           (ONE_IN(8, mix(h ^ 3)) ? LONG_TIMES : 1),
                .stubborn = ONE_IN(4, mix(h ^ 1)),
                .detaches = ONE_IN(4, mix(h ^ 2)),
                .rejects = ONE_IN(5, hash_text(seed, a->item)),
        };
}

/* ---- the record ---- */

static int64_t now_ns(clockid_t clock)
{
        struct timespec now;
        (void)clock_gettime(clock, &now); /* cannot fail for these clocks */
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void record(const struct agent *a, const char *what)
{
        char line[PATH_MAX + 256];
        int n = snprintf(line, sizeof(line), "%s %lld %lld %ld %" PRId64 " %" PRId64 " %s %s %s %s\n", what,
                         a->job, a->epoch, (long)getpid(), now_ns(CLOCK_BOOTTIME), now_ns(CLOCK_REALTIME),
                         a->item, a->role, a->stage, a->run_dir);
        if (n < 0 || (size_t)n >= sizeof(line) || write(a->record_fd, line, (size_t)n) != n)
                fail("the record");
        if (strcmp(what, "tick") != 0)
                (void)fdatasync(a->record_fd); /* some filesystems cannot: the line is there all the same */
}

static void wait_ms(int ms)
{
        struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

static void tick_for(const struct agent *a, int ms)
{
        for (int64_t end = now_ns(CLOCK_BOOTTIME) + (int64_t)ms * 1000000; now_ns(CLOCK_BOOTTIME) < end;) {
                wait_ms(TICK_MS);
                record(a, "tick");
        }
}

/* A process that nobody waits for, in a session of its own. */
static void detach(const struct agent *a, int ms)
{
        pid_t pid = fork();
        if (pid < 0)
                fail("fork");
        if (pid > 0)
                return;
        if (setsid() < 0 || (pid = fork()) < 0)
                fail("detach");
        if (pid == 0)
                tick_for(a, ms);
        _exit(0);
}

/* ---- what it leaves ---- */

/* mkdir -p of the folder that the file is in. */
static void make_parents(char *path)
{
        for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(path, 0755) < 0 && errno != EEXIST)
                        fail(path);
                *slash = '/';
        }
}

static void leave(const char *folder, const char *name, const char *text, const char *mode)
{
        char path[PATH_MAX];
        if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
                errno = ENAMETOOLONG;
                fail(name);
        }
        make_parents(path);
        FILE *file = fopen(path, mode);
        if (file == NULL || fputs(text, file) == EOF || fflush(file) == EOF || fclose(file) == EOF)
                fail(path);
}

static void leave_verdict(const struct agent *a, const char *name, const char *verdict)
{
        char text[TEXT_MAX];
        (void)snprintf(text, sizeof(text), "---\n%s\n---\n\nBy the chaos agent, job %lld.\n", verdict,
                       a->job);
        leave(a->docs, name, text, "w");
}

/* Each visit of the developer is one line, so the reviewer knows whether it is the first. */
static void leave_code(const struct agent *a)
{
        char name[TEXT_MAX], text[TEXT_MAX];
        (void)snprintf(name, sizeof(name), "%s.txt", a->item);
        (void)snprintf(text, sizeof(text), "job %lld epoch %lld\n", a->job, a->epoch);
        leave("src", name, text, "a");
}

static int code_lines(const struct agent *a)
{
        char path[TEXT_MAX];
        int lines = 0;
        (void)snprintf(path, sizeof(path), "src/%s.txt", a->item);
        FILE *file = fopen(path, "r");
        if (file == NULL)
                fail(path);
        for (int c = fgetc(file); c != EOF; c = fgetc(file))
                lines += c == '\n';
        (void)fclose(file); /* only read */
        return lines;
}

static void leave_work(const struct agent *a, const struct plan *plan)
{
        static const char *const analysis[] = {"01-brd.md", "02-trz.md", "03-acceptance-criteria.md",
                                               "04-test-plan.yaml"};
        if (strcmp(a->role, "analyst") == 0)
                for (size_t i = 0; i < sizeof(analysis) / sizeof(*analysis); i++)
                        leave(a->docs, analysis[i], "cases: []\n", "w");
        else if (strcmp(a->role, "architect") == 0)
                leave(a->docs, "06-adr/ADR-001-decision.md", "# Decision\n", "w");
        else if (strcmp(a->role, "developer") == 0)
                leave_code(a);
        else if (strcmp(a->role, "reviewer") == 0)
                leave_verdict(a, "12-review.md",
                              plan->rejects && code_lines(a) == 1 ? "verdict: REQUEST_CHANGES"
                                                                  : "verdict: APPROVED");
        else if (strcmp(a->role, "tester") == 0)
                leave_verdict(a, "13-test-report.md", "result: PASS");
        else if (strcmp(a->role, "deployer") == 0)
                leave_verdict(a, "15-staging-log.md", "staging_status: SUCCESS");
}

/* ---- its life ---- */

static void know_yourself(struct agent *a, const char *record_path)
{
        static char run_dir[PATH_MAX];
        const char *task_file = need_env("ORCH_TASK_FILE");
        if (*task_file != '/' || snprintf(run_dir, sizeof(run_dir), "%s", task_file) >= (int)sizeof(run_dir))
                fail(task_file);
        *strrchr(run_dir, '/') = '\0';
        if (sscanf(strrchr(run_dir, '/'), "/%lld-%lld", &a->job, &a->epoch) !=
            2) // NOLINT(cert-err34-c): short numbers
                fail(run_dir);
        a->run_dir = run_dir;
        a->item = need_env("ORCH_WORK_ITEM");
        a->role = need_env("ORCH_ROLE");
        a->stage = need_env("ORCH_STAGE");
        a->docs = need_env("ORCH_DOCS_DIR");
        a->record_fd = open(record_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (a->record_fd < 0)
                fail(record_path);
}

int main(int argc, char **argv)
{
        struct agent a;
        if (argc != 3) {
                (void)fprintf(stderr, "usage: chaos_agent RECORD SEED\n");
                return 2;
        }
        know_yourself(&a, argv[1]);
        struct plan plan = make_plan(&a, strtoull(argv[2], NULL, 10));
        if (plan.stubborn)
                (void)signal(SIGTERM, SIG_IGN);
        record(&a, "start");
        if (plan.detaches)
                detach(&a, plan.work_ms + DETACHED_MS);
        tick_for(&a, plan.work_ms / 2);
        leave_work(&a, &plan);
        record(&a, "effect");
        tick_for(&a, plan.work_ms / 2);
        record(&a, "end");
        return 0;
}
