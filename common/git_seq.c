/* git_seq.c - walks the table of steps. */
#include "common/git_seq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/mem.h"

struct git_seq {
        struct git *git;
        const struct git_step *steps;
        size_t n_steps;
        size_t at;               /* the step that runs */
        struct git_op *op;       /* NULL between steps */
        struct loop_timer *kick; /* for the first step, and for an end without any command */
        git_seq_fn *fn;
        void *arg;
};

static void free_seq(struct git_seq *seq)
{
        loop_timer_free(seq->kick);
        free(seq);
}

static void end(struct git_seq *seq, const struct git_step *failed, const struct git_result *res)
{
        git_seq_fn *fn = seq->fn;
        void *arg = seq->arg;
        free_seq(seq);
        fn(arg, failed, res);
}

static void on_result(void *arg, const struct git_result *res);

/* Starts the next step that is needed; ends when there is none. */
static void go_on(struct git_seq *seq)
{
        for (; seq->at < seq->n_steps; seq->at++) {
                _cleanup_(git_cmd_deinit) struct git_cmd cmd = GIT_CMD_INIT;
                if (seq->steps[seq->at].build(seq->arg, &cmd)) {
                        seq->op = git_start(seq->git, &cmd, on_result, seq);
                        return;
                }
        }
        end(seq, NULL, NULL);
}

static void on_result(void *arg, const struct git_result *res)
{
        struct git_seq *seq = arg;
        const struct git_step *step = &seq->steps[seq->at];
        enum git_seq_next next = res->outcome == GIT_OK ? GIT_SEQ_NEXT : GIT_SEQ_FAIL;

        seq->op = NULL;
        if (step->done != NULL)
                next = step->done(seq->arg, res);
        if (next == GIT_SEQ_FAIL) {
                end(seq, step, res);
        } else if (next == GIT_SEQ_END) {
                end(seq, NULL, NULL);
        } else {
                seq->at++;
                go_on(seq);
        }
}

static void on_kick(void *arg)
{
        go_on(arg);
}

struct git_seq *git_seq_start(struct git *git, const struct git_step *steps, size_t n_steps, git_seq_fn *fn,
                              void *arg)
{
        struct git_seq *seq = xcalloc(1, sizeof(*seq));
        *seq = (struct git_seq){.git = git, .steps = steps, .n_steps = n_steps, .fn = fn, .arg = arg};
        seq->kick = loop_timer_new(git_loop(git), on_kick, seq);
        loop_timer_soon(seq->kick);
        return seq;
}

void git_seq_cancel(struct git_seq *seq)
{
        if (seq == NULL)
                return;
        git_cancel(seq->op);
        free_seq(seq);
}

enum git_seq_next git_seq_oid(const struct git_result *res, char oid[static GIT_OID_SIZE])
{
        return res->outcome == GIT_OK && git_oid_read(res->out->buf, oid) ? GIT_SEQ_NEXT : GIT_SEQ_FAIL;
}

/* Without ^{commit}: what is not there would then end like a repository that cannot be read. */
void git_seq_ask_object(struct git_cmd *cmd, const char *sha)
{
        git_cmd_words(cmd, "cat-file", "-e", sha, NULL);
}

int git_seq_yes(const struct git_result *res)
{
        if (res->outcome == GIT_OK)
                return 1;
        return res->outcome == GIT_EXITED && res->code == 1 ? 0 : -EIO;
}

const char *git_seq_why(const struct git_result *res)
{
        return res->outcome == GIT_OK ? "git's answer makes no sense" : res->err.text;
}

/* "TREE\nFILE\nFILE\n" */
void git_seq_conflicts(const struct git_result *res, struct strbuf *sb)
{
        const char *out = res->out->buf;
        const char *separator = "";
        for (const char *line = out + strcspn(out, "\n"); *line == '\n' && line[1] != '\0';) {
                size_t len = strcspn(line + 1, "\n");
                strbuf_addf(sb, "%s%.*s", separator, (int)len, line + 1);
                separator = ", ";
                line += 1 + len;
        }
}

void git_seq_ask_merge_of(struct git_cmd *cmd, const char *head, const char *tip)
{
        git_cmd_words(cmd, "rev-list", "--merges", "--parents", "--ancestry-path", "--reverse", NULL);
        argv_addf(&cmd->args, "%s..%s", head, tip);
}

/* Lines "MERGE PARENT1 PARENT2"; the last may be cut. */
void git_seq_merge_of(const struct git_result *res, const char *head, const char *tip,
                      char merge[static GIT_OID_SIZE], char base[static GIT_OID_SIZE])
{
        size_t n = strlen(head);
        const char *line = res->out->buf;
        for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
                if ((size_t)(end - line) != 3 * n + 2 || memcmp(line + 2 * (n + 1), head, n) != 0)
                        continue;
                (void)git_oid_read(line, merge); /* rev-list prints object names */
                (void)git_oid_read(line + n + 1, base);
                return;
        }
        (void)git_oid_read(tip, merge); /* it is one */
        (void)git_oid_read(tip, base);
}
