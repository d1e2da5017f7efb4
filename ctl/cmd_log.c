/* cmd_log.c - orchctl log: what the agent of a run printed, also while it runs. */
#include "ctl/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/follow.h"
#include "ctl/pg.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "queries.h"

#define POLL_MS     200
#define ASK_EACH_MS 2000 /* between two questions to the database, while a log is followed */

/* The run that was asked for, as the database knows it. Borrowed from the document. */
struct chosen {
        struct json_doc *doc;
        const struct json *run; /* NULL: there is none */
};

static void chosen_deinit(struct chosen *ch)
{
        json_doc_free(ch->doc);
        *ch = (struct chosen){.doc = NULL};
}

static bool has_ended(const struct json *run)
{
        return json_str(json_get(run, "ended_at")) != NULL;
}

/* Without a number, runs that have ended and left no log are passed over: a merge, say, runs no agent. */
static bool is_wanted(const struct json *run, const char *role, int64_t wanted)
{
        int64_t number = 0;
        (void)json_int(json_get(run, "run"), &number); /* always there */
        if (wanted != 0 && number != wanted)
                return false;
        if (wanted == 0 && has_ended(run) && *show_str(run, "log") == '\0')
                return false;
        return role == NULL || strcmp(show_str(run, "role"), role) == 0;
}

/* Reads the item and picks the newest run that fits. Returns the exit code. */
static int choose(struct ctl *c, int64_t wanted, struct chosen *ret)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        struct chosen ch = {.doc = NULL};
        int code = pg_json(c->pg, &Q_CTL_ITEM, c->args.words, &json);
        if (code == EXIT_OK)
                code = show_parse(&json, &ch.doc);
        if (code != EXIT_OK)
                return code;
        const struct json *runs = json_get(json_root(ch.doc), "runs");
        for (size_t i = json_len(runs); i > 0 && ch.run == NULL; i--)
                if (is_wanted(json_at(runs, i - 1), args_value(&c->args, "role"), wanted))
                        ch.run = json_at(runs, i - 1);
        *ret = ch;
        return EXIT_OK;
}

/* Reasons why the log cannot be read here. */
static int check_here(const struct ctl *c, const struct json *run)
{
        char name[256] = "";
        const char *ours = c->opt->host_name, *host = show_str(run, "host"), *log = show_str(run, "log");
        if (*ours == '\0' && gethostname(name, sizeof(name) - 1) == 0)
                ours = name;
        if (strcmp(ours, host) == 0)
                return EXIT_OK;
        (void)ctl_fail(EXIT_FAILED, "the log lies on host %s, this is %s", host, ours);
        ctl_hint("there: %s", *log != '\0' ? log : "the run has not begun to write it");
        return EXIT_FAILED;
}

static void say_run(const struct ctl *c, const struct json *run)
{
        const char *outcome = json_str(json_get(run, "outcome")), *reason = show_str(run, "reason");
        int64_t number = 0, attempt = 0;
        (void)json_int(json_get(run, "run"), &number);      /* always there */
        (void)json_int(json_get(run, "attempt"), &attempt); /* always there */
        ctl_note("%s run %lld: %s, attempt %lld, %s%s%s", args_word(&c->args, 0), (long long)number,
                 show_str(run, "role"), (long long)attempt, outcome != NULL ? outcome : "running",
                 *reason != '\0' ? ": " : "", reason);
}

/* Raw to files and pipes; on a terminal, what could move the cursor is made visible. */
static int print_piece(const struct ctl *c, const struct strbuf *piece)
{
        _cleanup_(strbuf_deinit) struct strbuf safe = STRBUF_INIT;
        if (!c->term.tty || args_has(&c->args, "raw"))
                return ctl_print(piece);
        text_log(&safe, piece->buf, piece->len);
        return ctl_print(&safe);
}

/* Prints all that is there now. */
static int print_new(const struct ctl *c, struct follow *f)
{
        _cleanup_(strbuf_deinit) struct strbuf piece = STRBUF_INIT;
        do {
                strbuf_reset(&piece);
                int r = follow_read(f, &piece);
                if (r == -ENOENT)
                        return EXIT_NOT_READY;
                if (r < 0)
                        return ctl_fail(EXIT_FAILED, "cannot read %s: %s", f->path, strerror(-r));
                int code = print_piece(c, &piece);
                if (code != EXIT_OK)
                        return code;
        } while (piece.len > 0);
        return EXIT_OK;
}

/* The database's word that the run is over: the shim may have died without leaving its status. A database
 * that is away has no word; the log goes on without it. */
static bool database_says_ended(struct ctl *c, int64_t number)
{
        struct chosen ch = {.doc = NULL};
        struct errinfo err = ERRINFO_INIT;
        if (c->pg == NULL && ctl_pg_quiet(c, &err) != 0)
                return false;
        int code = choose(c, number, &ch);
        bool ended = code == EXIT_OK && (ch.run == NULL || has_ended(ch.run));
        chosen_deinit(&ch);
        if (code == EXIT_TEMPORARY)
                pg_close(take_ptr(c->pg));
        return ended || (code != EXIT_OK && code != EXIT_TEMPORARY);
}

static int follow_run(struct ctl *c, struct follow *f, int64_t number)
{
        int64_t ask_at = ctl_now_ms() + ASK_EACH_MS;
        for (bool last = false;;) {
                int code = print_new(c, f);
                if (code != EXIT_OK && code != EXIT_NOT_READY)
                        return code;
                if (last)
                        return EXIT_OK;
                last = follow_ended(f);
                if (!last && ctl_now_ms() >= ask_at) {
                        last = database_says_ended(c, number);
                        ask_at = ctl_now_ms() + ASK_EACH_MS;
                }
                if (!last)
                        ctl_sleep_ms(POLL_MS);
        }
}

static int no_log(const struct json *run, const char *log)
{
        const char *removed = show_str(run, "log_removed_at");
        if (*removed == '\0')
                return ctl_fail(EXIT_FAILED, "there is no log at %s: it may have been removed since", log);
        (void)ctl_fail(EXIT_FAILED, "the log was removed on %.10s, having been kept long enough", removed);
        ctl_hint("how long is said by the setting keep_logs_days; see orchctl retention");
        return EXIT_FAILED;
}

static int show_log(struct ctl *c, const struct json *run)
{
        struct follow f = FOLLOW_INIT;
        const char *log = show_str(run, "log");
        int64_t number = 0;
        int code = check_here(c, run);
        if (code != EXIT_OK)
                return code;
        say_run(c, run);
        if (*log == '\0')
                return ctl_fail(EXIT_NOT_READY, has_ended(run) ? "this run has left no log"
                                                               : "the run has not begun to write a log");
        (void)json_int(json_get(run, "run"), &number); /* always there */
        follow_init(&f, log);
        if (args_has(&c->args, "follow") && !has_ended(run))
                code = follow_run(c, &f, number);
        else
                code = print_new(c, &f);
        if (code == EXIT_NOT_READY)
                code = no_log(run, log);
        follow_deinit(&f);
        return code;
}

/* With --follow, a run whose log is not there yet is waited for. */
static bool should_wait(const struct ctl *c, const struct chosen *ch)
{
        bool begun = ch->run != NULL && (has_ended(ch->run) || *show_str(ch->run, "log") != '\0');
        return args_has(&c->args, "follow") && !args_has(&c->args, "run") && !begun;
}

static int no_run(const struct ctl *c)
{
        (void)ctl_fail(EXIT_NOT_READY, "%s has had no such run with a log yet", args_word(&c->args, 0));
        ctl_hint("`orchctl item show %s` lists its runs, `orchctl why %s` says what it waits for",
                 args_word(&c->args, 0), args_word(&c->args, 0));
        return EXIT_NOT_READY;
}

static int run_log(struct ctl *c)
{
        struct chosen ch = {.doc = NULL};
        int64_t wanted;
        int code = ctl_int_option(c, "run", 1, INT64_MAX, 0, &wanted);
        if (code == EXIT_OK)
                code = ctl_pg(c);
        if (code == EXIT_OK)
                code = choose(c, wanted, &ch);
        for (bool said = false; code == EXIT_OK && should_wait(c, &ch); said = true) {
                if (!said)
                        ctl_note("%s has no run yet; waiting for one", args_word(&c->args, 0));
                chosen_deinit(&ch);
                ctl_sleep_ms(ASK_EACH_MS / 4);
                code = choose(c, wanted, &ch);
        }
        if (code == EXIT_OK)
                code = ch.run != NULL ? show_log(c, ch.run) : no_run(c);
        chosen_deinit(&ch);
        return code;
}

const struct command command_log = {
        .name = "log",
        .group = GROUP_LOOK,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "print the log of a work item's newest run, or follow it",
        .text = "The log lies on the host of the run; on another host, its name and the path there are said. "
                "Which run it is "
                "goes to standard error, the log itself to standard output: raw, but on a terminal control "
                "characters are "
                "made visible.",
        .options =
                (const struct command_option[]){
                        {"follow", 'f', NULL, "wait for a run, go on printing until it ends"},
                        {"role", 0, "ROLE", "the newest run of this role"},
                        {"run", 0, "N", "this run; `orchctl item show ITEM` lists them"},
                        {"raw", 0, NULL, "every byte as it is, also on a terminal"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl log DEMO-1 -f", "Look over the agent's shoulder"},
                        {"orchctl log DEMO-1 --role developer | less", "What the developer did last"},
                        {.line = NULL},
                },
        .run = run_log,
};
