/* agent_session.c - see agent_session.h. Files of a run, on a local disk: nothing here waits. */
#include "workerd/agent_session.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"

#define PROJECTS_MAX 64 /* folders that are looked into */
#define SLUG_MAX                                                                                             \
        200 /* a longer one is cut in a way of its own by the agent: such a session is not carried           \
             */

void agent_session_new(char ret[static AGENT_SESSION_SIZE])
{
        unsigned char b[16];
        while (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
                ; /* interrupted by a signal: this early it never says less otherwise */
        b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
        b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
        (void)snprintf(ret, AGENT_SESSION_SIZE,
                       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                       b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
                       b[15]);
}

static char *beside(const struct run_dir *rd, const char *name)
{
        return xasprintf("%s/%s", rd->path, name);
}

int agent_session_note(const struct run_dir *rd, const char *id)
{
        _cleanup_(freep) char *path = beside(rd, "session");
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        size_t len = strlen(id);
        if (fd < 0)
                return -errno;
        return write(fd, id, len) == (ssize_t)len ? 0 : -EIO;
}

static bool is_id(const char *s)
{
        return strlen(s) == AGENT_SESSION_SIZE - 1 &&
               strspn(s, "0123456789abcdefABCDEF-") == AGENT_SESSION_SIZE - 1;
}

static int open_folder(int at, const char *name)
{
        return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_transcript(int dir_fd, const char *name)
{
        struct stat st;
        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
               st.st_size > 0 && st.st_nlink == 1;
}

static bool keep_from(int projects_fd, const char *folder, const char *name, const char *to)
{
        _cleanup_(closep) int fd = open_folder(projects_fd, folder);
        return fd >= 0 && is_transcript(fd, name) && renameat(fd, name, AT_FDCWD, to) == 0;
}

/* Takes the descriptor. */
static void keep_among(int projects_fd, const char *name, const char *to)
{
        DIR *dir = fdopendir(projects_fd);
        if (dir == NULL) {
                (void)close(projects_fd);
                return;
        }
        const struct dirent *e;
        for (int n = 0; n < PROJECTS_MAX && (e = readdir(dir)) != NULL; n++)
                if (e->d_name[0] != '.' && keep_from(dirfd(dir), e->d_name, name, to))
                        break;
        (void)closedir(dir);
}

void agent_session_keep(const struct run_dir *rd)
{
        _cleanup_(freep) char *note = beside(rd, "session"), *to = beside(rd, "session.jsonl");
        _cleanup_(strbuf_deinit) struct strbuf id = STRBUF_INIT;
        if (strbuf_read_file(&id, note, AGENT_SESSION_SIZE) < 0 || !is_id(id.buf))
                return;
        _cleanup_(freep) char *name = xasprintf("%s.jsonl", id.buf);
        _cleanup_(closep) int home = open_folder(AT_FDCWD, rd->home);
        _cleanup_(closep) int claude = home < 0 ? -1 : open_folder(home, ".claude");
        int projects = claude < 0 ? -1 : open_folder(claude, "projects");
        if (projects >= 0)
                keep_among(projects, name, to);
}

/* As the agent names the folder of a project: its path, with a dash for all but letters and digits. */
static char *slug_of(const char *tree)
{
        char *slug = realpath(tree, NULL);
        for (char *c = slug; c != NULL && *c != '\0'; c++)
                if (!isascii((unsigned char)*c) || !isalnum((unsigned char)*c))
                        *c = '-';
        return slug;
}

/* A link, not a copy: it may be large, and it is read only, because a session that is gone on with is forked.
 */
static bool put(const char *from, const char *projects, const char *slug, const char *id)
{
        _cleanup_(freep) char *folder = xasprintf("%s/%s", projects, slug);
        _cleanup_(freep) char *to = xasprintf("%s/%s.jsonl", folder, id);
        return mkdir(folder, 0700) == 0 && link(from, to) == 0;
}

bool agent_session_carry(const char *state_dir, int64_t job, int64_t epoch, const char *id,
                         const struct run_dir *rd)
{
        struct run_dir former;
        struct stat st;
        run_dir_names(&former, state_dir, job, epoch);
        _cleanup_(freep) char *from = beside(&former, "session.jsonl");
        run_dir_deinit(&former);
        if (!is_id(id) || lstat(from, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
                return false;
        char *slug = slug_of(rd->tree);
        bool done = false;
        if (slug != NULL && strlen(slug) <= SLUG_MAX) {
                _cleanup_(freep) char *config = xasprintf("%s/.claude", rd->home);
                _cleanup_(freep) char *projects = xasprintf("%s/projects", config);
                done = mkdir(config, 0700) == 0 && mkdir(projects, 0700) == 0 &&
                       put(from, projects, slug, id);
        }
        free(slug);
        return done;
}
