/* args.c - one table of options; every one but --nice and --clean takes a value. */
#include "shim/args.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MIN 1024 /* room for a head, a seam and a tail */

enum { OPT_NICE = 256, OPT_CLEAN, OPT_SPARE, OPT_TEXT = 512, OPT_NUMBER = 768 };

static const struct {
        const char *name;
        size_t offset;
        int64_t min; /* -1: a text */
} fields[] = {
        {"run-dir", offsetof(struct args, run_dir), -1},
        {"lock", offsetof(struct args, lock), -1},
        {"stdin", offsetof(struct args, stdin_path), -1},
        {"cwd", offsetof(struct args, cwd), -1},
        {"control", offsetof(struct args, control), -1},
        {"result-prefix", offsetof(struct args, result_prefix), -1},
        {"lock-wait-ms", offsetof(struct args, lock_wait_ms), 0},
        {"renewed-ms", offsetof(struct args, renewed_ms), 0},
        {"grace-ms", offsetof(struct args, limits.grace_ms), 0},
        {"wall-ms", offsetof(struct args, limits.wall_ms), 0},
        {"start-ms", offsetof(struct args, limits.start_ms), 0},
        {"idle-ms", offsetof(struct args, limits.idle_ms), 0},
        {"after-result-ms", offsetof(struct args, limits.after_result_ms), 0},
        {"freeze-ms", offsetof(struct args, limits.freeze_ms), 0},
        {"frozen-kill-ms", offsetof(struct args, limits.frozen_kill_ms), 0},
        {"max-processes", offsetof(struct args, max_processes), 0},
        {"max-cpu-s", offsetof(struct args, max_cpu_s), 0},
        {"max-memory", offsetof(struct args, max_memory), 0},
        {"max-file", offsetof(struct args, max_file), 0},
        {"max-open-files", offsetof(struct args, max_open_files), 0},
        {"log-max", offsetof(struct args, log_max), LOG_MIN},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static int usage(const char *why, const char *what)
{
        (void)fprintf(
                stderr,
                "orch-shim: %s%s\n"
                "usage: orch-shim --run-dir DIR --lock FILE [--lock-wait-ms N] --stdin FILE --cwd DIR\n"
                "                 [--control NAME] [--grace-ms N] [--wall-ms N] [--start-ms N] [--idle-ms "
                "N]\n"
                "                 [--result-prefix TEXT --after-result-ms N]\n"
                "                 [--freeze-ms N --renewed-ms N] [--frozen-kill-ms N]\n"
                "                 [--log-max BYTES] [--max-processes N] [--max-cpu-s N] [--max-memory "
                "BYTES]\n"
                "                 [--max-file BYTES] [--max-open-files N] [--nice] [--spare-rest] -- COMMAND "
                "ARG...\n"
                "       orch-shim --clean --lock FILE [--lock-wait-ms N]\n",
                why, what);
        return -EINVAL;
}

static int set_number(struct args *a, size_t i, const char *text)
{
        char *end;
        errno = 0;
        long long n = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0' || n < fields[i].min)
                return usage("not an acceptable number: ", text);
        *(int64_t *)((char *)a + fields[i].offset) = n;
        return 0;
}

static int set_option(struct args *a, int id, const char *value)
{
        if (id == OPT_NICE)
                a->nice = true;
        else if (id == OPT_CLEAN)
                a->clean = true;
        else if (id == OPT_SPARE)
                a->spare_rest = true;
        else if (id >= OPT_NUMBER)
                return set_number(a, (size_t)id - OPT_NUMBER, value);
        else if (id >= OPT_TEXT)
                *(const char **)((char *)a + fields[id - OPT_TEXT].offset) = value;
        else
                return usage("wrong command line", "");
        return 0;
}

static int check(const struct args *a)
{
        if (a->lock == NULL)
                return usage("missing: --lock", "");
        if (a->clean)
                return 0;
        if (a->run_dir == NULL || a->stdin_path == NULL || a->cwd == NULL)
                return usage("missing: --run-dir, --stdin or --cwd", "");
        if (a->control != NULL && (a->control[0] == '\0' || strchr(a->control, '/') != NULL))
                return usage("not a name: --control ", a->control);
        if (a->limits.freeze_ms > 0 && a->renewed_ms == 0)
                return usage("missing: --renewed-ms, which goes with --freeze-ms", "");
        if (a->result_prefix != NULL &&
            (a->result_prefix[0] == '\0' || strchr(a->result_prefix, '\n') != NULL))
                return usage("not the beginning of a line: --result-prefix ", a->result_prefix);
        if (a->command[0] == NULL)
                return usage("missing: the command after --", "");
        return 0;
}

int args_parse(int argc, char *const *argv, struct args *ret)
{
        struct args a = {.limits.grace_ms = 10000, .log_max = 64 << 20};
        struct option table[N_FIELDS + 4] = {{"nice", no_argument, NULL, OPT_NICE},
                                             {"clean", no_argument, NULL, OPT_CLEAN},
                                             {"spare-rest", no_argument, NULL, OPT_SPARE}};
        for (size_t i = 0; i < N_FIELDS; i++) {
                int base = fields[i].min < 0 ? OPT_TEXT : OPT_NUMBER;
                table[3 + i] = (struct option){fields[i].name, required_argument, NULL, base + (int)i};
        }

        int id;
        while ((id = getopt_long(argc, argv, "+", table, NULL)) != -1) {
                int r = set_option(&a, id, optarg);
                if (r < 0)
                        return r;
        }
        a.command = argv + optind;
        int r = check(&a);
        if (r == 0)
                *ret = a;
        return r;
}
