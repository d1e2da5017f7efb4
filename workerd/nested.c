/* nested.c - breadth first over a list of paths, one folder open at a time. */
#include "workerd/nested.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"

#define FOLDERS_PER_TURN 100
#define FOLDERS_MAX      500000 /* of one tree: bounds our memory */
#define PATH_MAX_BYTES   3500

struct nested {
        int tree_fd;
        char *tree;
        struct argv folders; /* still to be looked at begin at `next`; "" is the tree itself */
        size_t next;
        struct argv found;
        struct loop_timer *timer;
        nested_fn *fn;
        void *arg;
};

static void free_op(struct nested *op)
{
        loop_timer_free(op->timer);
        closep(&op->tree_fd);
        argv_deinit(&op->folders);
        argv_deinit(&op->found);
        free(op->tree);
        free(op);
}

static void answer(struct nested *op, int r)
{
        struct errinfo err = ERRINFO_INIT;
        if (r < 0)
                err_set(&err, "", "could not look through \"%s\": %s", op->tree, log_errno_text(r));
        op->fn(op->arg, r, &op->found, &err);
        free_op(op);
}

static DIR *open_folder(struct nested *op, const char *path)
{
        const char *name = path[0] != '\0' ? path : ".";
        int fd = openat(op->tree_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == EACCES && fchmodat(op->tree_fd, name, S_IRWXU, 0) == 0)
                fd = openat(op->tree_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (dir == NULL && fd >= 0)
                (void)close(fd);
        return dir;
}

static bool is_folder(int dir_fd, const struct dirent *e)
{
        struct stat st;
        if (e->d_type != DT_UNKNOWN)
                return e->d_type == DT_DIR;
        return fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Whether the folder is a repository; else its subfolders join the list. */
static bool read_folder(struct nested *op, const char *path, DIR *dir)
{
        bool top = path[0] == '\0';
        size_t before = op->folders.n;
        for (struct dirent *e; (e = readdir(dir)) != NULL;) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (strcasecmp(e->d_name, ".git") == 0) {
                        if (top)
                                continue;
                        while (op->folders.n > before)
                                free(op->folders.words[--op->folders.n]);
                        op->folders.words[op->folders.n] = NULL;
                        return true;
                }
                if (is_folder(dirfd(dir), e))
                        argv_addf(&op->folders, "%s%s%s", path, top ? "" : "/", e->d_name);
        }
        return false;
}

static int look_at(struct nested *op, const char *path)
{
        if (strlen(path) > PATH_MAX_BYTES) {
                argv_add(&op->found, path);
                return 0;
        }
        DIR *dir = open_folder(op, path);
        if (dir == NULL)
                return -errno;
        if (read_folder(op, path, dir))
                argv_add(&op->found, path);
        (void)closedir(dir);
        return op->folders.n > FOLDERS_MAX ? -E2BIG : 0;
}

static void on_turn(void *arg)
{
        struct nested *op = arg;
        int r = 0;
        for (int i = 0; i < FOLDERS_PER_TURN && op->next < op->folders.n && r == 0; i++) {
                _cleanup_(freep) char *path = xstrdup(op->folders.words[op->next++]); /* the list may move */
                r = look_at(op, path);
        }
        if (r == 0 && op->next < op->folders.n)
                loop_timer_soon(op->timer);
        else
                answer(op, r);
}

static void on_no_tree(void *arg)
{
        struct nested *op = arg;
        answer(op, op->tree_fd);
}

struct nested *nested_find(struct loop *loop, const char *tree, nested_fn *fn, void *arg)
{
        struct nested *op = xcalloc(1, sizeof(*op));
        int fd = open(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        *op = (struct nested){.tree_fd = fd < 0 ? -errno : fd, .tree = xstrdup(tree), .fn = fn, .arg = arg};
        argv_add(&op->folders, "");
        op->timer = loop_timer_new(loop, fd < 0 ? on_no_tree : on_turn, op);
        loop_timer_soon(op->timer);
        return op;
}

void nested_cancel(struct nested *op)
{
        if (op != NULL)
                free_op(op);
}
