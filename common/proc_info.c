/* proc_info.c - what tells one process from another, and how an exit reads. */
#include "common/proc.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"

const char *proc_exit_text(const struct proc_exit *ex)
{
        static char text[64];
        const char *name = ex->signaled ? sigabbrev_np(ex->signo) : NULL;
        if (!ex->signaled)
                (void)snprintf(text, sizeof(text), "exited with %d", ex->code);
        else if (name != NULL)
                (void)snprintf(text, sizeof(text), "killed by SIG%s", name);
        else
                (void)snprintf(text, sizeof(text), "killed by signal %d", ex->signo);
        return text;
}

static int read_stat(pid_t pid, struct strbuf *stat)
{
        char path[64];
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        return strbuf_read_file(stat, path, 4096);
}

/* The text of field 3 (the state) or a later one; NULL: there is none. Field 2 is the program's name in
 * parentheses and may hold anything, parentheses too: counted from the last. */
static const char *stat_field(const struct strbuf *stat, int n)
{
        const char *p = strrchr(stat->buf, ')');
        for (int field = 2; p != NULL && field < n; field++)
                p = strchr(p + 1, ' ');
        return p != NULL ? p + 1 : NULL;
}

int proc_start_time(pid_t pid, unsigned long long *ret_ticks)
{
        _cleanup_(strbuf_deinit) struct strbuf stat = STRBUF_INIT;
        int r = read_stat(pid, &stat);
        if (r == -ESRCH)
                return -ENOENT; /* it ended between open and read */
        /* With hidepid=2 (systemd: ProtectProc=) /proc does not show what we may not trace, such as a process
         * that cannot be dumped. The kernel's table of processes hides nothing. */
        if (r == -ENOENT && (kill(pid, 0) == 0 || errno == EPERM))
                return -EACCES;
        if (r < 0)
                return r;

        const char *state = stat_field(&stat, 3), *text = stat_field(&stat, 22);
        if (state != NULL && (*state == 'Z' || *state == 'X'))
                return -ENOENT;
        if (text == NULL)
                return -EINVAL;
        char *end;
        unsigned long long ticks = strtoull(text, &end, 10);
        if (end == text)
                return -EINVAL;
        *ret_ticks = ticks;
        return 0;
}

int proc_signal_known(pid_t pid, unsigned long long start_ticks, int signo)
{
        unsigned long long start = 0;
        _cleanup_(closep) int fd = pidfd_open(pid, 0);
        if (fd < 0)
                return errno == ESRCH ? -ENOENT : -errno;
        /* Looked at after the descriptor is there: what has the pid now is what the descriptor names. */
        int r = proc_start_time(pid, &start);
        if (r == 0 && start != start_ticks)
                r = -ENOENT;
        if (r == 0 && pidfd_send_signal(fd, signo, NULL, 0) < 0)
                r = errno == ESRCH ? -ENOENT : -errno;
        return r;
}

static bool is_child_of(pid_t pid, pid_t parent)
{
        _cleanup_(strbuf_deinit) struct strbuf stat = STRBUF_INIT;
        const char *ppid = read_stat(pid, &stat) == 0 ? stat_field(&stat, 4) : NULL;
        return ppid != NULL && strtol(ppid, NULL, 10) == parent;
}

int proc_kill_children(pid_t parent)
{
        DIR *all = opendir("/proc");
        if (all == NULL)
                return -errno;
        for (struct dirent *e; (e = readdir(all)) != NULL;) {
                pid_t pid = (pid_t)strtol(e->d_name, NULL, 10); /* 0: no process */
                if (pid <= 1 || !is_child_of(pid, parent))
                        continue;
                (void)kill(pid, SIGKILL); /* one that has gone is as good */
                (void)kill(-pid, SIGKILL);
        }
        (void)closedir(all);
        return 0;
}

char *proc_bin_dir(const char *configured)
{
        char self[PATH_MAX];
        if (configured[0] != '\0')
                return xstrdup(configured);
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0)
                return NULL;
        self[n] = '\0';
        *strrchr(self, '/') = '\0'; /* the kernel gives an absolute path */
        return xstrdup(self);
}

char *proc_program_path(const char *bin_dir, const char *name)
{
        _cleanup_(freep) char *folder = proc_bin_dir(bin_dir);
        return folder != NULL ? xasprintf("%s/%s", folder, name) : NULL;
}

const char *proc_boot_id(void)
{
        static char id[37];
        if (id[0] != '\0')
                return id;
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        int r = strbuf_read_file(&text, "/proc/sys/kernel/random/boot_id", 64);
        /* Without it every boot looks the same: a dead process may then be taken for alive, never the
         * reverse. */
        if (r < 0 || text.len < 36)
                return "00000000-0000-0000-0000-000000000000";
        memcpy(id, text.buf, 36);
        return id;
}
