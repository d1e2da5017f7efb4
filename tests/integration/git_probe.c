/*
 * git_probe.c - one of the pieces of a run, on the command line, for the tests of support/pieces.py.
 *
 *     git_probe VERB KEY=VALUE...        prints KEY=VALUE lines about the result
 *
 * Keys: the fields of struct run_info, and state, path, sha, location, message, timeout_ms, git_path; for a
 * forge at a server: server, token_file, forge_name, plain_hosts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/forge.h"
#include "common/git.h"
#include "common/http_client.h"
#include "common/loop.h"
#include "common/mem.h"
#include "workerd/commit.h"
#include "workerd/landing.h"
#include "workerd/mirror.h"
#include "workerd/rebase.h"
#include "workerd/tree.h"
#include "workerd/verdict.h"

static struct {
        int argc;
        char **argv;
        struct loop *loop;
        struct git *git;
        struct http_client *http; /* of a forge at a server */
        struct run_info info;
        struct run_dir rd;
        char *mirror;
} p;

static const char *get(const char *key, const char *otherwise)
{
        size_t len = strlen(key);
        for (int i = 2; i < p.argc; i++)
                if (strncmp(p.argv[i], key, len) == 0 && p.argv[i][len] == '=')
                        return p.argv[i] + len + 1;
        return otherwise;
}

static void say(const char *key, const char *value)
{
        printf("%s=%s\n", key, value);
}

static void say_int(const char *key, long long value)
{
        printf("%s=%lld\n", key, value);
}

static void end(const struct errinfo *err)
{
        say("error", err->text);
        loop_stop(p.loop);
}

/* ---- verbs ---- */

static void on_mirror(void *arg, const struct mirror_result *res)
{
        static const char *const names[] = {"ok", "unavailable", "failed"};
        (void)arg;
        say("outcome", names[res->outcome]);
        say_int("made_anew", res->made_anew);
        say("said", port_outcome_name(res->said));
        end(&res->err);
}

static void do_mirror(void)
{
        mirror_update(p.git, p.mirror, &p.info.remote, on_mirror, NULL);
}

static void on_tree(void *arg, const struct tree_result *res)
{
        static const char *const names[] = {"ok", "moved", "failed"};
        (void)arg;
        say("outcome", names[res->outcome]);
        say("start_sha", res->start_sha);
        say("base_sha", res->base_sha);
        say("head_sha", res->head_sha);
        end(&res->err);
}

static void do_prepare(void)
{
        struct errinfo err = ERRINFO_INIT;
        if (run_dir_create(&p.rd, &err) < 0) {
                say("outcome", "no-folder");
                end(&err);
                return;
        }
        if (get("sha", NULL) != NULL)
                tree_checkout(p.git, &p.info, &p.rd, p.mirror, get("sha", ""), on_tree, NULL);
        else
                tree_prepare(p.git, &p.info, &p.rd, p.mirror, on_tree, NULL);
}

static void on_commit(void *arg, const struct commit_result *res)
{
        static const char *const names[] = {"ok", "nothing", "failed"};
        (void)arg;
        say("outcome", names[res->outcome]);
        say("sha", res->sha);
        say("parent", res->parent);
        say("tree", res->tree);
        say("code_tree", res->code_tree);
        say("base_sha", res->base_sha);
        say("patch_id", res->patch_id);
        say_int("epoch", res->epoch);
        say_int("changed", res->changed);
        for (size_t i = 0; i < res->refused->n; i++)
                say("refused", res->refused->words[i]);
        for (size_t i = 0; i < res->nested->n; i++)
                say("nested", res->nested->words[i]);
        end(&res->err);
}

static void do_commit(void)
{
        commit_make(p.git, &p.info, &p.rd, p.mirror, on_commit, NULL);
}

static void do_find(void)
{
        commit_find(p.git, &p.info, &p.rd, p.mirror, on_commit, NULL);
}

static void do_describe(void)
{
        commit_describe(p.git, &p.info, &p.rd, p.mirror, get("sha", ""), on_commit, NULL);
}

static void on_push(void *arg, const struct git_push_result *res)
{
        (void)arg;
        say("outcome", git_push_outcome_name(res->outcome));
        say("said", port_outcome_name(res->said));
        say("remote_sha", res->remote_sha);
        end(&res->err);
}

static void do_push(void)
{
        commit_push(p.git, &p.info, p.mirror, get("sha", NULL), on_push, NULL);
}

static void on_rebased(void *arg, const struct rebase_result *res)
{
        static const char *const names[] = {"ok", "merged", "conflict", "moved", "refused", "failed"};
        (void)arg;
        say("outcome", names[res->outcome]);
        say("head_sha", res->head_sha);
        say("base_sha", res->base_sha);
        say("sha", res->sha);
        say_int("changed", res->changed);
        end(&res->err);
}

static void do_rebase(void)
{
        const struct rebase_spec spec = {.mirror = p.mirror,
                                         .pushing = get("pushing", NULL),
                                         .always = strcmp(get("always", "on"), "on") == 0};
        rebase_start(p.git, &p.info, &spec, on_rebased, NULL);
}

static void on_look(void *arg, const struct landing_look_result *res)
{
        static const char *const names[] = {"ready", "merged", "untested", "conflict", "gone", "failed"};
        (void)arg;
        say("outcome", names[res->outcome]);
        say("base_sha", res->base_sha);
        say("candidate", res->candidate);
        end(&res->err);
}

static void do_look(void)
{
        landing_look(p.git, &p.info, p.mirror, get("tested_base", NULL), on_look, NULL);
}

static void on_verified(void *arg, const struct landing_verify_result *res)
{
        static const char *const names[] = {"verified", "mismatch", "unknown"};
        (void)arg;
        say("outcome", names[res->verdict]);
        say("merged_sha", res->merged_sha);
        say("landed_base", res->landed_base);
        end(&res->err);
}

static void do_verify(void)
{
        const struct landing_spec spec = {
                .mirror = p.mirror,
                .default_branch = p.info.default_branch,
                .head = p.info.head_sha,
                .deployed = get("deployed", NULL),
                .tested_base = get("tested_base", NULL),
                .merged_sha = get("merged_sha", ""),
                .landed_base = get("landed_base", ""),
                .landed_tree = get("landed_tree", ""),
                .markers = get("markers", NULL),
        };
        landing_verify(p.git, &spec, on_verified, NULL);
}

static void on_verdict(void *arg, const struct verdict_result *res)
{
        static const char *const names[] = {"ok", "absent", "unknown"};
        (void)arg;
        say("outcome", names[res->outcome]);
        for (size_t i = 0; i < res->n_evidence; i++)
                printf("evidence=%s %s %s %s\n", res->evidence[i].gate, res->evidence[i].value,
                       res->evidence[i].file, res->evidence[i].blob);
        if (res->n_evidence > 0 && res->evidence[0].questions != NULL)
                say("text", res->evidence[0].questions);
        if (res->n_evidence > 0 && res->evidence[0].detail != NULL)
                say("detail", res->evidence[0].detail);
        end(&res->err);
}

static void do_verdict(void)
{
        verdict_read(p.git, &p.info, role_step(p.info.role, p.info.stage), p.mirror, get("sha", ""),
                     on_verdict, NULL);
}

static void on_removed(void *arg, int r, const struct errinfo *err)
{
        (void)arg;
        say_int("r", r);
        end(err);
}

static void do_remove(void)
{
        tree_remove(p.loop, get("path", ""), on_removed, NULL);
}

/* ---- the forge ---- */

static struct forge *forge;

static void on_forge(void *arg, const struct forge_answer *answer)
{
        (void)arg;
        say("outcome", port_outcome_name(answer->port.outcome));
        say("sha", answer->sha);
        end(&answer->port.err);
}

static void on_merged(void *arg, const struct forge_merge_answer *answer)
{
        (void)arg;
        say("outcome", forge_merge_outcome_name(answer->outcome));
        say("port", port_outcome_name(answer->port.outcome));
        say("merged_sha", answer->merged_sha);
        say("base_sha", answer->base_sha);
        say("tree", answer->tree);
        end(&answer->port.err);
}

static void open_forge(void)
{
        struct errinfo err = ERRINFO_INIT;
        const struct http_client_config http = {.connect_timeout_ms = 2000,
                                                .total_timeout_ms = 5000,
                                                .max_response_bytes = 1u << 20,
                                                .allow_plain_hosts = get("plain_hosts", NULL)};
        if (get("server", NULL) != NULL && http_client_new(p.loop, &http, &p.http) < 0)
                abort();
        const struct forge_config cfg = {.adapter = get("server", NULL) != NULL ? "gitea" : "local",
                                         .default_branch = p.info.default_branch,
                                         .git = p.git,
                                         .location = get("location", ""),
                                         .http = p.http,
                                         .url = get("server", NULL),
                                         .token_file = get("token_file", NULL),
                                         .repo = get("forge_name", NULL)};
        forge = forge_new(&cfg, &err);
}

static void do_head(void)
{
        open_forge();
        forge_branch_head(forge, p.info.branch, on_forge, NULL);
}

static void guarded(const struct errinfo *err)
{
        say("outcome", "guarded");
        end(err);
}

static void do_delete(void)
{
        struct errinfo err = ERRINFO_INIT;
        open_forge();
        if (forge_delete_branch(forge, p.info.branch, on_forge, NULL, &err) == NULL)
                guarded(&err);
}

static void do_pull(void)
{
        struct errinfo err = ERRINFO_INIT;
        const struct forge_pull_spec spec = {
                .branch = p.info.branch, .title = p.info.title, .text = get("message", "")};
        open_forge();
        if (forge_ensure_pull(forge, &spec, on_forge, NULL, &err) == NULL)
                guarded(&err);
}

static void do_merge(void)
{
        const struct forge_merge_spec spec = {.branch = p.info.branch,
                                              .expected_head = get("sha", ""),
                                              .expected_base = get("base_sha", NULL),
                                              .message = get("message", "Merge")};
        open_forge();
        forge_merge(forge, &spec, on_merged, NULL);
}

/* ---- the frame ---- */

static const struct {
        const char *verb;
        void (*run)(void);
} verbs[] = {
        {"mirror", do_mirror}, {"prepare", do_prepare}, {"commit", do_commit},     {"find", do_find},
        {"push", do_push},     {"verdict", do_verdict}, {"describe", do_describe}, {"remove", do_remove},
        {"head", do_head},     {"delete", do_delete},   {"merge", do_merge},       {"rebase", do_rebase},
        {"look", do_look},     {"verify", do_verify},   {"pull", do_pull},
};

static void read_arguments(void)
{
        p.info = (struct run_info){
                .job = atoll(get("job", "1")),
                .epoch = atoll(get("epoch", "1")),
                .attempt = 1,
                .max_attempts = 3,
                .role = get("role", "developer"),
                .stage = get("stage", "development"),
                .work_item = get("work_item", "ORCH-1"),
                .title = get("title", "A title"),
                .docs_dir = get("docs_dir", "docs/work-items/ORCH-1"),
                .repo = get("repo", "demo"),
                .remote = {.url = get("url", ""),
                           .token_file = get("token_file", NULL),
                           .branch = get("default_branch", "main")},
                .branch = get("branch", "feature/ORCH-1-a-title"),
                .default_branch = get("default_branch", "main"),
                .head_sha = get("head_sha", NULL),
                .base_sha = get("base_sha", NULL),
                .start_sha = get("start_sha", NULL),
        };
        run_dir_names(&p.rd, get("state", "/nonexistent"), p.info.job, p.info.epoch);
        p.mirror = run_dir_mirror(get("state", "/nonexistent"), p.info.repo);
}

static void on_start(void *arg)
{
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
                if (strcmp(verbs[i].verb, (const char *)arg) == 0) {
                        verbs[i].run();
                        return;
                }
        }
        fprintf(stderr, "git_probe: no such verb: %s\n", (const char *)arg);
        loop_stop(p.loop);
}

int main(int argc, char *argv[])
{
        p.argc = argc;
        p.argv = argv;
        if (argc < 2 || loop_new(&p.loop) < 0)
                return 2;
        const struct git_config cfg = {.path = get("git_path", "/usr/bin:/bin"),
                                       .protocols = "file",
                                       .plain_hosts = get("plain_hosts", NULL),
                                       .timeout_ms = atoll(get("timeout_ms", "30000"))};
        p.git = git_new(p.loop, &cfg);
        read_arguments();
        struct loop_timer *start = loop_timer_new(p.loop, on_start, argv[1]);
        loop_timer_soon(start);
        int r = loop_run(p.loop);

        loop_timer_free(start);
        forge_free(forge);
        http_client_free(p.http);
        run_dir_deinit(&p.rd);
        free(p.mirror);
        git_free(p.git);
        loop_free(p.loop);
        return r < 0 ? 1 : 0;
}
