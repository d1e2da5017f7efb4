/* commit_op.h - the one struct behind commit.h; shared by commit.c, commit_make.c and commit_describe.c only.
 */
#pragma once

#include "common/git_seq.h"
#include "workerd/commit.h"
#include "workerd/nested.h"

struct commit_op {
        struct git *git;
        char *mirror, *tree;
        char *index; /* ours: in the run folder, or, for one that is only looked at, in the mirror */
        char *role, *docs_dir, *branch, *default_branch;
        char *message_head; /* subject of the commit to make */
        int64_t job, epoch;

        struct nested *looking; /* NULL: not at this */
        struct git_seq *seq;    /* NULL: not at this */

        bool own_index; /* remove it at the end */
        struct argv nested, refused;
        struct strbuf restore; /* for update-index: what takes refused changes back */
        char parent_tree[GIT_OID_SIZE];
        struct strbuf diff; /* the branch's change, between the steps of commit_patch.c */

        commit_fn *fn;
        void *arg;
        struct commit_result result;
};

struct commit_op *commit_op_new(struct git *git, const struct run_info *info, const struct run_dir *rd,
                                const char *mirror, commit_fn *fn, void *arg);
/* For operations that come before the run folder exists: an index of their own, removed with the op. */
void commit_op_index_in_mirror(struct commit_op *op);
void commit_op_run(struct commit_op *op, const struct git_step *steps, size_t n_steps);
/* Answers and frees the op. */
void commit_op_fail(struct commit_op *op, const char *what, const char *why);
/* A command on the mirror with our index; commit_op_tree() adds the agent's files. Both return true. */
bool commit_op_index(struct commit_op *op, struct git_cmd *cmd);
bool commit_op_tree(struct commit_op *op, struct git_cmd *cmd);

/* The last steps of all: what result.sha is made of. */
bool commit_build_facts(void *arg, struct git_cmd *cmd);
enum git_seq_next commit_on_facts(void *arg, const struct git_result *res);
bool commit_build_load(void *arg, struct git_cmd *cmd);
bool commit_build_strip(void *arg, struct git_cmd *cmd);
bool commit_build_code_tree(void *arg, struct git_cmd *cmd);
enum git_seq_next commit_on_code_tree(void *arg, const struct git_result *res);
/* commit_patch.c */
bool commit_build_base(void *arg, struct git_cmd *cmd);
enum git_seq_next commit_on_base(void *arg, const struct git_result *res);
bool commit_build_diff(void *arg, struct git_cmd *cmd);
enum git_seq_next commit_on_diff(void *arg, const struct git_result *res);
bool commit_build_patch_id(void *arg, struct git_cmd *cmd);
enum git_seq_next commit_on_patch_id(void *arg, const struct git_result *res);
#define COMMIT_DESCRIBE_STEPS                                                                                \
        {"read the commit", commit_build_facts, commit_on_facts},                                            \
                {"load its files", commit_build_load, NULL},                                                 \
                {"leave out the docs", commit_build_strip, NULL},                                            \
                {"write the code tree", commit_build_code_tree, commit_on_code_tree},                        \
                {"find where the branch began", commit_build_base, commit_on_base},                          \
                {"list its change", commit_build_diff, commit_on_diff},                                      \
        {                                                                                                    \
                "name its change", commit_build_patch_id, commit_on_patch_id                                 \
        }
