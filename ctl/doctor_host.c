/* doctor_host.c - the checks of orchctl doctor that look at this host. */
#include "ctl/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/argv.h"
#include "common/disk.h"
#include "common/git.h"
#include "common/json_read.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/secret_file.h"
#include "common/strbuf.h"
#include "common/tokens.h"
#include "ctl/ctl.h"
#include "ctl/services.h"
#include "ctl/show.h"
#include "ctl/suite.h"

#include <time.h>

#define GIT_PATH      "/usr/local/bin:/usr/bin:/bin" /* as the daemons have it */
#define GIT_MAJOR     2
#define GIT_MINOR     38 /* merge-tree --write-tree */
#define SECRET_LENGTH 16 /* shorter ones are refused by webhookd */

void doctor_config(struct doctor *d)
{
        if (d->ctl->config_path == NULL)
                doctor_say(d, FINDING_WARNING, "",
                           "name it: --config, ORCH_CONFIG, or put it into /etc/orchestrator",
                           "no configuration file was found: these are the defaults");
        else
                doctor_say(d, FINDING_FINE, d->ctl->config_path, NULL, "read");
}

/* Files of the suite are looked at as its user sees them, or not truly. */
void doctor_user(struct doctor *d)
{
        struct stat st;
        if (stat(d->opt->state_dir, &st) == 0 && st.st_uid != geteuid())
                doctor_say(
                        d, FINDING_WARNING, d->opt->state_dir,
                        "run it as that user: what is said of files is what you see, not what the suite sees",
                        "belongs to user %u, and this is run by user %u", (unsigned)st.st_uid,
                        (unsigned)geteuid());
}

void doctor_suite(struct doctor *d)
{
        _cleanup_(strbuf_deinit) struct strbuf why = STRBUF_INIT;
        struct errinfo err = ERRINFO_INIT;
        struct suite suite = SUITE_INIT;
        if (suite_find(d->opt->state_dir, &suite, &err) < 0)
                doctor_say(d, FINDING_WRONG, d->opt->state_dir, "look who may read that folder", "%s",
                           err.text);
        else if (suite.pid == 0)
                doctor_say(d, FINDING_WRONG, "", "start it: orchctl up",
                           "the suite does not run on this host");
        else if (!suite_is_ready(d->opt->listen_status, &why))
                doctor_say(d, FINDING_WRONG, d->opt->listen_status,
                           "see what is missing; the log of the suite says why", "not ready: %s", why.buf);
        else
                doctor_say(d, FINDING_FINE, "", NULL, "runs as process %d, and is ready", (int)suite.pid);
        suite_deinit(&suite);
}

/* A supervisor that runs has those that it began with; what is asked for next is started from here. */
void doctor_programs(struct doctor *d)
{
        static const char *const programs[] = {
                "orch-supervisor",
                "orch-shim",
#define SERVICE(name, program, count, wave, listeners) program,
#include "supervisor/services.def"
#undef SERVICE
        };
        for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
                _cleanup_(freep) char *path = proc_program_path(d->opt->bin_dir, programs[i]);
                if (path == NULL || access(path, X_OK) < 0)
                        doctor_say(d, FINDING_WRONG, path != NULL ? path : programs[i],
                                   "install the suite there, or set bin_dir to the folder of its programs",
                                   "cannot be run: %s", strerror(errno));
        }
}

static void check_folder(struct doctor *d, const char *path, bool must_exist)
{
        struct stat st;
        if (stat(path, &st) < 0) {
                if (must_exist || errno != ENOENT)
                        doctor_say(d, FINDING_WRONG, path, "make it, for the user of the suite",
                                   "cannot be looked at: %s", strerror(errno));
        } else if (!S_ISDIR(st.st_mode)) {
                doctor_say(d, FINDING_WRONG, path, "move it away", "is no folder");
        } else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
                doctor_say(d, FINDING_WRONG, path, "chmod go-w it",
                           "others may write it (mode %03o): they could put work of their own there",
                           (unsigned)st.st_mode & 0777u);
        } else if (access(path, W_OK | X_OK) < 0) {
                doctor_say(d, FINDING_WRONG, path, "give it to the user of the suite",
                           "cannot be written: %s", strerror(errno));
        }
}

void doctor_folders(struct doctor *d)
{
        static const char *const below[] = {"runs", "mirrors", "deploys", "locks"};
        check_folder(d, d->opt->state_dir, true);
        for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
                _cleanup_(freep) char *path = xasprintf("%s/%s", d->opt->state_dir, below[i]);
                check_folder(d, path, false);
        }
}

static void check_room(struct doctor *d, const char *path, int64_t bytes, int64_t inodes, bool claims)
{
        struct disk_room room;
        int r = disk_look(path, &room);
        if (r < 0)
                doctor_say(d, FINDING_WRONG, path, "look at the path: state_dir, watch_paths",
                           "its disk cannot be looked at: %s", strerror(-r));
        else if (room.bytes < bytes || room.inodes < inodes)
                doctor_say(d, FINDING_WRONG, path, "make room",
                           "%" PRId64 " MiB and %" PRId64 " files are left; %s below %" PRId64
                           " MiB and %" PRId64 " files",
                           room.bytes >> 20, room.inodes, claims ? "no job is claimed" : "people are alerted",
                           bytes >> 20, inodes);
}

void doctor_disk(struct doctor *d)
{
        _cleanup_(argv_deinit) struct argv paths = ARGV_INIT;
        const struct options *o = d->opt;
        check_room(d, o->state_dir, o->disk_min_free_bytes, o->disk_min_inodes, true);
        if (o->watch_paths[0] != '\0')
                (void)argv_split(&paths, o->watch_paths, NULL); /* the reaper has said so */
        for (size_t i = 0; i < paths.n; i++)
                check_room(d, paths.words[i], o->watch_min_free_bytes, o->watch_min_inodes, false);
        doctor_say_facts(d);
}

/* ---- git ---- */

struct git_answer {
        struct loop *loop;
        enum git_outcome outcome;
        char *text;
};

static void on_git(void *arg, const struct git_result *res)
{
        struct git_answer *a = arg;
        a->outcome = res->outcome;
        a->text = xstrdup(res->outcome == GIT_OK ? res->out->buf : res->err.text);
        loop_stop(a->loop);
}

void doctor_git(struct doctor *d)
{
        const struct git_config cfg = {.path = GIT_PATH, .protocols = "file", .timeout_ms = d->timeout_ms};
        struct git_answer a = {.loop = services_loop(d->services)};
        struct git *git = git_new(a.loop, &cfg);
        struct git_cmd cmd = GIT_CMD_INIT;
        int major = 0, minor = 0;
        git_cmd_words(&cmd, "version", NULL);
        (void)git_start(git, &cmd, on_git, &a);
        git_cmd_deinit(&cmd);
        (void)loop_run(a.loop); /* fails only when it cannot wait at all; then there is no answer */
        const char *text = a.text != NULL ? a.text : "no answer";
        if (a.outcome != GIT_OK || a.text == NULL)
                doctor_say(d, FINDING_WRONG, GIT_PATH, "install git", "git does not run: %s", text);
        else if (sscanf(text, "git version %d.%d", &major, &minor) == 2 &&
                 (major < GIT_MAJOR || (major == GIT_MAJOR && minor < GIT_MINOR)))
                doctor_say(d, FINDING_WRONG, "", "install a newer one",
                           "git %d.%d is too old: %d.%d is the oldest that merges without a work tree", major,
                           minor, GIT_MAJOR, GIT_MINOR);
        else
                doctor_say(d, FINDING_FINE, "", NULL, "%.*s", (int)strcspn(text, "\n"), text);
        free(a.text);
        git_free(git);
}

/* ---- agents ---- */

static void check_command(struct doctor *d, const char *option, const char *command)
{
        _cleanup_(argv_deinit) struct argv words = ARGV_INIT;
        struct errinfo err = ERRINFO_INIT;
        int r = argv_split(&words, command, &err);
        if (r == 0)
                r = proc_find_program(words.words[0], d->opt->agent_path, &err);
        if (r < 0)
                doctor_say(d, FINDING_WRONG, option,
                           "install it, or change the option; agent_path is where it is looked for", "%s",
                           err.text);
}

/* That each program is there. What else may be wrong with it, the workers know; the database has that of all
 * hosts. */
void doctor_agents(struct doctor *d)
{
        const struct options *o = d->opt;
        struct options_role roles[OPTIONS_ROLES];
        bool common_used = false;
        options_roles(o, roles);
        for (size_t i = 0; i < OPTIONS_ROLES; i++) {
                _cleanup_(freep) char *option = xasprintf("agent_command_%s", roles[i].role);
                common_used = common_used || roles[i].command[0] == '\0';
                if (roles[i].command[0] != '\0')
                        check_command(d, option, roles[i].command);
        }
        if (common_used)
                check_command(d, "agent_command", o->agent_command);
        if (o->agent_wrapper[0] != '\0')
                check_command(d, "agent_wrapper", o->agent_wrapper);
        doctor_say_facts(d);
}

/* ---- secrets ---- */

static bool is_used(const struct doctor *d, const char *port, const char *kind)
{
        const struct json *projects = json_get(doctor_facts(d), "projects");
        for (size_t i = 0; i < json_len(projects); i++)
                if (strcmp(show_str(json_get(json_at(projects, i), port), "kind"), kind) == 0)
                        return true;
        return false;
}

static void check_secret(struct doctor *d, const char *option, const char *path, bool used)
{
        struct errinfo err = ERRINFO_INIT;
        char *secret = NULL;
        if (path[0] == '\0') {
                if (used)
                        doctor_say(
                                d, FINDING_WRONG, option,
                                "put the secret of the webhook into a file (mode 600) and name it there, on "
                                "every host that listens",
                                "is not set, and projects want it: its webhooks are turned away");
                return;
        }
        int r = secret_file_line(path, "secrets", &secret, &err);
        if (r < 0) {
                doctor_say(d, FINDING_WRONG, option,
                           "mend the file; orchctl upgrade or SIGHUP reads it again", "%s", err.text);
                return;
        }
        if (strlen(secret) < SECRET_LENGTH)
                doctor_say(d, FINDING_WRONG, option, "make a longer one: openssl rand -hex 32",
                           "the secret in %s is shorter than %d characters", path, SECRET_LENGTH);
        OPENSSL_cleanse(secret, strlen(secret));
        free(secret);
}

static void check_tokens_file(struct doctor *d)
{
        struct errinfo err = ERRINFO_INIT;
        struct tokens *tokens = NULL;
        const struct options *o = d->opt;
        if (o->listen_operator[0] == '\0')
                return;
        if (tokens_load(o->operator_tokens_file, time(NULL), &tokens, &err) < 0)
                doctor_say(d, FINDING_WRONG, "operator_tokens_file", "mend the file", "%s", err.text);
        else if (tokens_good(tokens, time(NULL)) == 0)
                doctor_say(d, FINDING_WARNING, "operator_tokens_file", "orchctl token new makes one",
                           "no token in it is good: all have expired");
        tokens_free(tokens);
}

void doctor_secrets(struct doctor *d)
{
        check_secret(d, "gitea_secret_file", d->opt->gitea_secret_file, is_used(d, "forge_config", "gitea"));
        check_secret(d, "plane_secret_file", d->opt->plane_secret_file,
                     is_used(d, "tracker_config", "plane"));
        check_tokens_file(d);
}
