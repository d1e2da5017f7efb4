/* verdict.c - lists the docs folder in the commit, then reads the one file that matters, if any: the verdict,
 * or the questions that the run has left instead of its work. */
#include "workerd/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "common/git_seq.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/utf8.h"
#include "workerd/artefacts.h"
#include "workerd/front_matter.h"

#define LIST_MAX      (1u << 20)
#define EVIDENCE_MAX  16
#define QUESTIONS_MAX 8192 /* bytes of questions that people are shown */
#define HEAD_MIN      7    /* digits of a commit's name that a `head:` key must give */

struct verdict_op {
        struct git *git;
        const struct run_info *info;
        const struct role_step *step;
        char *mirror, *sha;
        char *detail;
        char *paths[EVIDENCE_MAX]; /* what evidence[].file points to */
        struct verdict_evidence evidence[EVIDENCE_MAX];
        struct strbuf list;                   /* of the docs folder: of a step that needs files */
        const struct role_question *question; /* NULL: nothing is asked */
        struct artefact asked;                /* its file; borrows from the list */
        char *questions;                      /* what evidence[0].questions points to */
        struct git_seq *seq;
        verdict_fn *fn;
        void *arg;
        struct verdict_result result;
};

static void free_op(struct verdict_op *op)
{
        git_seq_cancel(op->seq);
        for (size_t i = 0; i < op->result.n_evidence; i++)
                free(op->paths[i]);
        strbuf_deinit(&op->list);
        free(op->questions);
        free(op->detail);
        free(op->mirror);
        free(op->sha);
        free(op);
}

static enum git_seq_next absent(struct verdict_op *op, const char *file, const char *why)
{
        op->result.outcome = VERDICT_ABSENT;
        err_set(&op->result.err, "", "%s/%s: %s", op->info->docs_dir, file, why);
        return GIT_SEQ_END;
}

static void add_evidence(struct verdict_op *op, const struct artefact *a, const char *value)
{
        size_t i = op->result.n_evidence;
        if (i == EVIDENCE_MAX)
                return; /* the table of roles asks for fewer */
        op->paths[i] = xstrdup(a->path);
        op->evidence[i] =
                (struct verdict_evidence){.gate = op->step->gate, .value = value, .file = op->paths[i]};
        memcpy(op->evidence[i].blob, a->blob, GIT_OID_SIZE);
        op->result.n_evidence++;
}

/* ---- the list ---- */

static bool build_list(void *arg, struct git_cmd *cmd)
{
        struct verdict_op *op = arg;
        if (op->step->need == ROLE_NEEDS_CHANGE)
                return false;
        cmd->git_dir = op->mirror;
        cmd->capture_max = LIST_MAX;
        git_cmd_words(cmd, "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", op->sha, "--", NULL);
        argv_addf(&cmd->args, "%s/", op->info->docs_dir);
        return true;
}

static const char *missing_text(enum artefact_found found)
{
        switch (found) {
        case ARTEFACT_NOT_A_FILE:
                return "is not an ordinary file";
        case ARTEFACT_EMPTY:
                return "is empty";
        case ARTEFACT_MISSING:
        case ARTEFACT_PRESENT:
                break;
        }
        return "is not in the commit";
}

static enum git_seq_next need(struct verdict_op *op, const struct strbuf *list, const char *pattern,
                              const char *value)
{
        struct artefact a;
        enum artefact_found found = artefact_find(list->buf, list->len, op->info->docs_dir, pattern, &a);
        if (found != ARTEFACT_PRESENT)
                return absent(op, pattern, missing_text(found));
        add_evidence(op, &a, value);
        return GIT_SEQ_NEXT;
}

static enum git_seq_next on_list(void *arg, const struct git_result *res)
{
        struct verdict_op *op = arg;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        if (res->truncated)
                return absent(op, "", "has too many files");
        if (op->step->need == ROLE_NEEDS_VERDICT)
                return need(op, res->out, op->step->file, NULL);
        strbuf_add(&op->list, res->out->buf, res->out->len);
        if (op->question != NULL && artefact_find(op->list.buf, op->list.len, op->info->docs_dir,
                                                  op->question->file, &op->asked) != ARTEFACT_PRESENT)
                op->question = NULL;
        return GIT_SEQ_NEXT;
}

static void judge_files(struct verdict_op *op)
{
        enum git_seq_next next = GIT_SEQ_NEXT;
        for (const char *const *f = op->step->files; *f != NULL && next == GIT_SEQ_NEXT; f++)
                next = need(op, &op->list, *f, "present");
}

/* ---- the questions ---- */

/* A file that is as the run has found it was answered: it asks nothing more. */
static bool build_look_back(void *arg, struct git_cmd *cmd)
{
        struct verdict_op *op = arg;
        if (op->question == NULL || op->info->start_sha == NULL || op->info->start_sha[0] == '\0')
                return false;
        cmd->git_dir = op->mirror;
        cmd->capture_max = LIST_MAX;
        git_cmd_words(cmd, "--literal-pathspecs", "ls-tree", "-z", "--full-tree", op->info->start_sha, "--",
                      op->asked.path, NULL);
        return true;
}

static enum git_seq_next on_look_back(void *arg, const struct git_result *res)
{
        struct verdict_op *op = arg;
        struct artefact before;
        const char *at = res->out->buf;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        if (artefact_next(&at, res->out->buf + res->out->len, &before) &&
            strcmp(before.blob, op->asked.blob) == 0)
                op->question = NULL;
        return GIT_SEQ_NEXT;
}

static bool build_ask(void *arg, struct git_cmd *cmd)
{
        struct verdict_op *op = arg;
        if (op->question == NULL)
                return false;
        cmd->git_dir = op->mirror;
        cmd->capture_max = FRONT_MATTER_MAX + QUESTIONS_MAX;
        git_cmd_words(cmd, "cat-file", "blob", op->asked.blob, NULL);
        return true;
}

static void ask(struct verdict_op *op, const char *text, size_t len)
{
        add_evidence(op, &op->asked, op->question->value);
        op->questions = xstrndup(text, utf8_cut(text, len, QUESTIONS_MAX));
        op->evidence[0].questions = op->questions;
}

/* What is no question of ours is a file like any other. */
static enum git_seq_next on_ask(void *arg, const struct git_result *res)
{
        struct verdict_op *op = arg;
        struct front_matter *fm = NULL;
        struct errinfo err = ERRINFO_INIT;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        if (front_matter_parse(res->out->buf, res->out->len, &fm, &err) != FRONT_MATTER_OK)
                return GIT_SEQ_NEXT;
        const char *value = front_matter_get(fm, op->question->key);
        bool asks = value != NULL && strcmp(value, op->question->value) == 0;
        front_matter_free(fm);
        size_t at = front_matter_end(res->out->buf, res->out->len);
        at += strspn(res->out->buf + at, " \t\r\n");
        if (asks && at < res->out->len)
                ask(op, res->out->buf + at, res->out->len - at);
        return GIT_SEQ_NEXT;
}

/* ---- the verdict file ---- */

static bool build_read(void *arg, struct git_cmd *cmd)
{
        struct verdict_op *op = arg;
        if (op->step->need != ROLE_NEEDS_VERDICT)
                return false;
        cmd->git_dir = op->mirror;
        cmd->capture_max =
                FRONT_MATTER_MAX + 64; /* the block and its rules; the prose after it is not read */
        git_cmd_words(cmd, "cat-file", "blob", op->evidence[0].blob, NULL);
        return true;
}

static const char *known_value(const struct role_step *step, const char *value)
{
        for (const char *const *v = step->values; *v != NULL; v++)
                if (strcmp(*v, value) == 0)
                        return *v;
        return NULL;
}

/* A verdict that says what it judged must have judged what this run was given. */
static bool judged_this(const struct verdict_op *op, const char *head)
{
        size_t len = strlen(head);
        return len >= HEAD_MIN && op->info->start_sha != NULL && strncmp(op->info->start_sha, head, len) == 0;
}

static void put_list(struct json_out *j, const char *key, const struct argv *words)
{
        if (words == NULL || words->n == 0)
                return;
        json_out_key(j, key);
        json_out_array(j);
        for (size_t i = 0; i < words->n; i++)
                json_out_str(j, words->words[i]);
        json_out_array_end(j);
}

/* What else the verdict says; false: its list is none. */
static bool read_detail(struct verdict_op *op, const struct front_matter *fm)
{
        _cleanup_(argv_deinit) struct argv words = ARGV_INIT;
        struct strbuf sb = STRBUF_INIT;
        const char *key = role_list(op->step);
        if (key != NULL && front_matter_list(fm, key, &words) != FRONT_MATTER_OK)
                return false;
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        put_list(j, key, &words);
        put_list(j, "test_changes", op->info->test_changes);
        json_out_object_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        op->detail = strbuf_take(&sb);
        op->evidence[0].detail = op->detail;
        return true;
}

/* Whether an approval answers what the branch does to its tests. */
static bool is_accepted(const struct verdict_op *op, const struct front_matter *fm)
{
        const struct argv *signals = op->info->test_changes;
        const char *said = front_matter_get(fm, "test_changes");
        return signals == NULL || signals->n == 0 || op->evidence[0].value != op->step->values[0] ||
               (said != NULL && strcmp(said, "ACCEPTED") == 0);
}

static enum git_seq_next not_accepted(struct verdict_op *op)
{
        struct strbuf why = STRBUF_INIT;
        strbuf_addstr(&why,
                      "the branch changes its tests, and the review does not say `test_changes: ACCEPTED`");
        for (size_t i = 0; i < op->info->test_changes->n; i++)
                strbuf_addf(&why, "%s%s", i == 0 ? ": " : "; ", op->info->test_changes->words[i]);
        enum git_seq_next next = absent(op, op->step->file, why.buf);
        strbuf_deinit(&why);
        return next;
}

static enum git_seq_next judge(struct verdict_op *op, const struct front_matter *fm)
{
        const char *value = front_matter_get(fm, op->step->key);
        const char *head = front_matter_get(fm, "head");
        if (value == NULL)
                return absent(op, op->step->file, "its front matter has no verdict");
        if (head != NULL && !judged_this(op, head))
                return absent(op, op->step->file, "its `head:` is not the commit that was to be judged");
        op->evidence[0].value = known_value(op->step, value);
        if (op->evidence[0].value == NULL)
                return absent(op, op->step->file, "its verdict is not one of the known values");
        if (!is_accepted(op, fm))
                return not_accepted(op);
        if (!read_detail(op, fm))
                return absent(op, op->step->file, "one of its lists is none");
        return GIT_SEQ_END;
}

static enum git_seq_next on_read(void *arg, const struct git_result *res)
{
        struct verdict_op *op = arg;
        struct front_matter *fm = NULL;
        struct errinfo err = ERRINFO_INIT;
        if (res->outcome != GIT_OK)
                return GIT_SEQ_FAIL;
        int r = front_matter_parse(res->out->buf, res->out->len, &fm, &err);
        if (r == FRONT_MATTER_NONE)
                return absent(op, op->step->file, "has no front matter");
        if (r != FRONT_MATTER_OK)
                return absent(op, op->step->file, err.text);
        enum git_seq_next next = judge(op, fm);
        front_matter_free(fm);
        return next;
}

static const struct git_step steps[] = {
        {"list the docs folder", build_list, on_list},
        {"look for earlier questions", build_look_back, on_look_back},
        {"read the questions", build_ask, on_ask},
        {"read the verdict file", build_read, on_read},
};

static void on_end(void *arg, const struct git_step *failed, const struct git_result *res)
{
        struct verdict_op *op = arg;
        op->seq = NULL;
        if (failed != NULL) {
                op->result.outcome = VERDICT_UNKNOWN;
                err_set(&op->result.err, "", "could not %s: %s", failed->name, res->err.text);
        } else if (op->result.outcome == VERDICT_OK && op->step->need == ROLE_NEEDS_FILES &&
                   op->questions == NULL) {
                judge_files(op);
        }
        struct verdict_result result = op->result;
        if (result.outcome != VERDICT_OK)
                result.n_evidence = 0;
        op->fn(op->arg, &result);
        free_op(op);
}

struct verdict_op *verdict_read(struct git *git, const struct run_info *info, const struct role_step *step,
                                const char *mirror, const char *sha, verdict_fn *fn, void *arg)
{
        struct verdict_op *op = xcalloc(1, sizeof(*op));
        *op = (struct verdict_op){
                .git = git,
                .info = info,
                .step = step,
                .mirror = xstrdup(mirror),
                .sha = xstrdup(sha),
                .list = STRBUF_INIT,
                .question = role_question(info->role, info->stage),
                .fn = fn,
                .arg = arg,
        };
        op->result.evidence = op->evidence;
        op->seq = git_seq_start(git, steps, ARRAY_SIZE(steps), on_end, op);
        return op;
}

void verdict_cancel(struct verdict_op *op)
{
        if (op != NULL)
                free_op(op);
}

const char *verdict_missing_outcome(const struct role_step *step)
{
        switch (step->need) {
        case ROLE_NEEDS_CHANGE:
                return "nothing-left";
        case ROLE_NEEDS_FILES:
                return "missing-artefacts";
        case ROLE_NEEDS_VERDICT:
                break;
        }
        return "no-verdict";
}
