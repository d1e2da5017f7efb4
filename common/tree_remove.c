/*
 * tree_remove.c - removes a hostile tree without following anything and without standing still.
 *
 * Only ever two folders are open: the one to be removed (the top) and one of its subfolders. Files of the
 * subfolder are unlinked, and folders in it are moved up into the top under new names, so depth costs
 * nothing: neither descriptors nor recursion nor long paths. A turn of the loop handles at most
 * ENTRIES_PER_TURN entries.
 */
#include "common/tree_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"

#define ENTRIES_PER_TURN 200

struct tree_remove {
        char *path;
        DIR *top;
        dev_t device; /* of the top: what is on another one is not ours to remove */
        unsigned long next_name;
        struct loop_timer *timer;
        tree_remove_fn *fn;
        void *arg;
};

static void free_op(struct tree_remove *op)
{
        if (op->top != NULL)
                (void)closedir(op->top);
        loop_timer_free(op->timer);
        free(op->path);
        free(op);
}

static void answer(struct tree_remove *op, int r)
{
        struct errinfo err = ERRINFO_INIT;
        if (r < 0)
                err_set(&err, "", "could not remove \"%s\": %s", op->path, log_errno_text(r));
        op->fn(op->arg, r, &err);
        free_op(op);
}

/* Opens a folder by name without following a symbolic link, and makes it ours to read and change. The mode is
 * changed through the descriptor's name in /proc, which can only mean this folder. */
static int open_folder(int dir_fd, const char *name, struct stat *st)
{
        char self[32];
        _cleanup_(closep) int fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, st) < 0)
                return negative_errno();
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd); /* always fits */
        if ((st->st_mode & S_IRWXU) != S_IRWXU && chmod(self, S_IRWXU) < 0)
                return negative_errno();
        int folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return folder < 0 ? negative_errno() : folder;
}

static int open_dir(int dir_fd, const char *name, dev_t *device, DIR **ret_dir)
{
        struct stat st;
        int fd = open_folder(dir_fd, name, &st);
        if (fd < 0)
                return fd;
        if (*device != 0 && st.st_dev != *device) {
                (void)close(fd);
                return -EXDEV;
        }
        *device = st.st_dev;
        *ret_dir = fdopendir(fd);
        if (*ret_dir != NULL)
                return 0;
        int r = -errno;
        (void)close(fd);
        return r;
}

static bool is_dots(const char *name)
{
        return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A folder can be moved only if it is writable, as its ".." changes; it also may be on another file system.
 */
static int move_up(struct tree_remove *op, int dir_fd, const char *name)
{
        struct stat st;
        char fresh[40];
        int fd = open_folder(dir_fd, name, &st);
        if (fd < 0)
                return fd;
        (void)close(fd);
        if (st.st_dev != op->device)
                return -EXDEV;
        for (;;) {
                (void)snprintf(fresh, sizeof(fresh), ".removing-%lu", op->next_name++); /* always fits */
                if (renameat(dir_fd, name, dirfd(op->top), fresh) == 0)
                        return 0;
                if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) /* else: the name is taken */
                        return -errno;
        }
}

/* Takes one entry out of an opened folder. */
static int take_out(struct tree_remove *op, int dir_fd, const char *name)
{
        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        return errno == ENOTEMPTY || errno == EEXIST || errno == EACCES ? move_up(op, dir_fd, name) : -errno;
}

/* Empties one subfolder of the top as far as the budget goes; moved-up folders make it emptier, not deeper.
 */
static int empty_folder(struct tree_remove *op, const char *name, unsigned *budget)
{
        DIR *dir;
        int r = open_dir(dirfd(op->top), name, &op->device, &dir);
        if (r < 0)
                return r;
        for (struct dirent *e; r == 0 && *budget > 0 && (e = readdir(dir)) != NULL;) {
                if (is_dots(e->d_name))
                        continue;
                (*budget)--;
                r = take_out(op, dirfd(dir), e->d_name);
        }
        (void)closedir(dir);
        return r;
}

static int take_out_of_top(struct tree_remove *op, const char *name, unsigned *budget)
{
        if (unlinkat(dirfd(op->top), name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        while (*budget > 0) {
                if (unlinkat(dirfd(op->top), name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return 0;
                if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
                        return -errno;
                (*budget)--;
                int r = empty_folder(op, name, budget);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* 1: there is more to do; 0: the top is empty; or -errno. */
static int slice(struct tree_remove *op)
{
        unsigned budget = ENTRIES_PER_TURN;
        bool any = false;
        rewinddir(op->top);
        for (struct dirent *e; budget > 0 && (e = readdir(op->top)) != NULL;) {
                if (is_dots(e->d_name))
                        continue;
                any = true;
                budget--;
                int r = take_out_of_top(op, e->d_name, &budget);
                if (r < 0)
                        return r;
        }
        return any ? 1 : 0;
}

static void on_turn(void *arg)
{
        struct tree_remove *op = arg;
        int r = 0;
        if (op->top == NULL)
                r = open_dir(AT_FDCWD, op->path, &op->device, &op->top);
        if (r == 0)
                r = slice(op);
        if (r > 0) {
                loop_timer_soon(op->timer);
                return;
        }
        if (r == 0 && rmdir(op->path) < 0)
                r = -errno;
        answer(op, r == -ENOENT ? 0 : r);
}

struct tree_remove *tree_remove(struct loop *loop, const char *path, tree_remove_fn *fn, void *arg)
{
        struct tree_remove *op = xcalloc(1, sizeof(*op));
        *op = (struct tree_remove){.path = xstrdup(path), .fn = fn, .arg = arg};
        op->timer = loop_timer_new(loop, on_turn, op);
        loop_timer_soon(op->timer);
        return op;
}

void tree_remove_cancel(struct tree_remove *op)
{
        if (op != NULL)
                free_op(op);
}
