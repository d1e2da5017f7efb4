/*
 * git_seq.h - several git commands, one after the other, as one asynchronous operation.
 *
 * An operation of ours (fetch a mirror, make a commit, merge) is a table of steps. A step builds its command,
 * or says that it is not needed now; its result is read by `done`, which goes on or ends the sequence. A step
 * without `done` must succeed. The owner keeps the sequence in a field that is NULL when idle.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/git.h"

struct git_seq;

enum git_seq_next {
        GIT_SEQ_NEXT, /* go on with the next step */
        GIT_SEQ_END,  /* leave out the rest: the owner has noted the outcome */
        GIT_SEQ_FAIL, /* this result is a failure */
};

struct git_step {
        const char *name;                              /* for the failure's text: "fetch" */
        bool (*build)(void *arg, struct git_cmd *cmd); /* false: leave this step out */
        enum git_seq_next (*done)(void *arg, const struct git_result *res); /* NULL: GIT_OK or fail */
};

/* `failed` is NULL after the last step or GIT_SEQ_END; else the step that failed, with its result. Comes
 * once, from the loop; the sequence is gone by then. */
typedef void git_seq_fn(void *arg, const struct git_step *failed, const struct git_result *res);

struct git_seq *git_seq_start(struct git *git, const struct git_step *steps, size_t n_steps, git_seq_fn *fn,
                              void *arg);
void git_seq_cancel(struct git_seq *seq); /* NULL is fine */

/* For `done`: success and the object name that the output begins with, or GIT_SEQ_FAIL. */
enum git_seq_next git_seq_oid(const struct git_result *res, char oid[static GIT_OID_SIZE]);
/* Whether a repository has an object: the words of the question, and for `done` what its exit status says.
 * 1 yes, 0 no; negative: git has failed, which is no answer. The latter also of `merge-base --is-ancestor`.
 */
void git_seq_ask_object(struct git_cmd *cmd, const char *sha);
int git_seq_yes(const struct git_result *res);
const char *git_seq_why(const struct git_result *res); /* of a step that failed, for people */
/* By which merge `head` came into `tip`, which has it: the words of the question, and what the answer says.
 * The merge is the first whose second parent is our head, and its base the first parent; a head that came in
 * otherwise (fast-forward, by hand) has come as `tip` is, which is then both. */
void git_seq_ask_merge_of(struct git_cmd *cmd, const char *head, const char *tip);
void git_seq_merge_of(const struct git_result *res, const char *head, const char *tip,
                      char merge[static GIT_OID_SIZE], char base[static GIT_OID_SIZE]);
/* Of `merge-tree --name-only` that exited with 1: appends the files in conflict, separated by commas. */
void git_seq_conflicts(const struct git_result *res, struct strbuf *sb);
