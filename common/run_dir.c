/* run_dir.c - builds the names, and makes the folders. */
#include "common/run_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

/* Takes both. */
static void names(struct run_dir *rd, char *path, char *lock)
{
        *rd = (struct run_dir){
                .path = path,
                .tree = xasprintf("%s/tree", path),
                .home = xasprintf("%s/home", path),
                .tmp = xasprintf("%s/tmp", path),
                .index = xasprintf("%s/index", path),
                .task_file = xasprintf("%s/task.md", path),
                .log = xasprintf("%s/log", path),
                .status = xasprintf("%s/status", path),
                .lock = lock,
        };
}

void run_dir_names(struct run_dir *rd, const char *state_dir, int64_t job, int64_t epoch)
{
        names(rd, xasprintf("%s/runs/%" PRId64 "-%" PRId64, state_dir, job, epoch),
              xasprintf("%s/locks/job-%" PRId64, state_dir, job));
}

/* STATE/deploys/RECORD -> STATE/locks/deploy-RECORD */
void run_dir_names_deploy(struct run_dir *rd, const char *path)
{
        _cleanup_(freep) char *state_dir = xstrdup(path);
        for (int up = 0; up < 2 && strrchr(state_dir, '/') != NULL; up++)
                *strrchr(state_dir, '/') = '\0';
        const char *name = strrchr(path, '/');
        names(rd, xstrdup(path), xasprintf("%s/locks/deploy-%s", state_dir, name != NULL ? name + 1 : path));
}

void run_dir_names_report(struct run_dir *rd, const char *state_dir, const char *what, int64_t id)
{
        names(rd, xasprintf("%s/reports/%s-%" PRId64, state_dir, what, id),
              xasprintf("%s/locks/%s-%" PRId64, state_dir, what, id));
}

void run_dir_deinit(struct run_dir *rd)
{
        free(rd->path);
        free(rd->tree);
        free(rd->home);
        free(rd->tmp);
        free(rd->index);
        free(rd->task_file);
        free(rd->log);
        free(rd->status);
        free(rd->lock);
        *rd = (struct run_dir)RUN_DIR_INIT;
}

/* The folder that holds `path`, one level of missing folders above it included: STATE/runs, STATE/locks. */
static int make_parent(const char *path)
{
        _cleanup_(freep) char *parent = xstrdup(path);
        *strrchr(parent, '/') = '\0';
        return mkdir(parent, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int make(const char *path)
{
        return mkdir(path, 0700) < 0 ? -errno : 0;
}

int run_dir_create(const struct run_dir *rd, struct errinfo *err)
{
        int r = make_parent(rd->path);
        if (r == 0)
                r = make_parent(rd->lock);
        if (r == 0)
                r = make(rd->path);
        if (r == 0)
                r = make(rd->home);
        if (r == 0)
                r = make(rd->tmp);
        if (r < 0)
                err_set(err, "", "could not make run folder \"%s\": %s", rd->path, log_errno_text(r));
        return r;
}

int run_dir_is_locked(const struct run_dir *rd)
{
        _cleanup_(closep) int fd = open(rd->lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (flock(fd, LOCK_SH | LOCK_NB) == 0)
                return 0;
        return errno == EWOULDBLOCK ? 1 : -errno;
}

bool run_dir_is_ours(const struct run_dir *rd)
{
        struct stat st;
        return lstat(rd->path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static bool parse_name(const char *name, int64_t *ret_job, int64_t *ret_epoch)
{
        char *end = NULL;
        if (*name < '0' || *name > '9')
                return false;
        *ret_job = strtoll(name, &end, 10);
        if (end[0] != '-' || end[1] < '0' || end[1] > '9')
                return false;
        *ret_epoch = strtoll(end + 1, &end, 10);
        return *end == '\0';
}

void run_dir_each(const char *state_dir, void (*fn)(void *arg, int64_t job, int64_t epoch), void *arg)
{
        _cleanup_(freep) char *path = xasprintf("%s/runs", state_dir);
        DIR *runs = opendir(path);
        if (runs == NULL)
                return; /* no run was ever made here */
        const struct dirent *entry;
        int64_t job, epoch;
        while ((entry = readdir(runs)) != NULL)
                if (parse_name(entry->d_name, &job, &epoch))
                        fn(arg, job, epoch);
        (void)closedir(runs);
}

char *run_dir_mirror(const char *state_dir, const char *repo)
{
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
        size_t len = strlen(repo);
        if (len == 0 || len > 100 || repo[0] == '.' || strspn(repo, allowed) != len)
                return NULL;
        return xasprintf("%s/mirrors/%s.git", state_dir, repo);
}
