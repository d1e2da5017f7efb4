/*
 * proc.c - a child on the loop: waits for its end, feeds its input, keeps its output.
 *
 * The child is waited for (reaped) only when its proc is freed, after the callback: until then its pid, and
 * the group of that number, cannot belong to anyone else, so signals to the group are safe.
 */
#include "common/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/proc_exec.h"
#include "common/strbuf.h"

#define READ_CHUNK 16384

/* One captured stream; io is NULL once it has ended (or was never asked for). */
struct capture {
        struct proc *proc;
        struct loop_io *io;
        int fd;
        struct strbuf text;
};

struct proc {
        struct loop *loop;
        proc_exit_fn *fn; /* NULL: forgotten */
        void *arg;
        struct loop_at_free at_free;
        pid_t pid;
        int pidfd;
        bool leads_group;
        struct loop_io *exit_io; /* NULL: it has ended */
        struct proc_exit exit;
        struct loop_io *input_io; /* NULL: nothing (more) to feed */
        int input_fd;
        char *input;
        size_t input_len, input_sent;
        size_t capture_max;
        struct capture out, err;
        struct loop_timer *output_timer; /* runs from the child's end until its output has ended */
};

static void capture_end(struct capture *c)
{
        loop_io_free(take_ptr(c->io));
        closep(&c->fd);
        c->fd = -1;
}

static void input_end(struct proc *p)
{
        loop_io_free(take_ptr(p->input_io));
        closep(&p->input_fd);
        p->input_fd = -1;
}

static void proc_free(struct proc *p)
{
        loop_at_free_remove(p->loop, &p->at_free);
        input_end(p);
        capture_end(&p->out);
        capture_end(&p->err);
        loop_timer_free(p->output_timer);
        loop_io_free(p->exit_io);
        if (p->pidfd >= 0 && p->exit_io == NULL)
                (void)waitid(P_PIDFD, (id_t)p->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
        closep(&p->pidfd);
        strbuf_deinit(&p->out.text);
        strbuf_deinit(&p->err.text);
        free(p->input);
        free(p);
}

static void on_loop_free(void *arg)
{
        proc_free(arg);
}

/* Ends the proc when both its end and all its output are known. */
static void finish_if_complete(struct proc *p)
{
        if (p->exit_io != NULL || p->out.io != NULL || p->err.io != NULL)
                return;
        if (p->capture_max > 0) {
                p->exit.out = &p->out.text;
                p->exit.err = &p->err.text;
        }
        if (p->fn != NULL)
                p->fn(p->arg, &p->exit);
        proc_free(p);
}

/* Somebody who outlived the child still holds its output open. */
static void on_output_overdue(void *arg)
{
        struct proc *p = arg;
        p->exit.truncated = true;
        capture_end(&p->out);
        capture_end(&p->err);
        finish_if_complete(p);
}

static void on_exit_ready(void *arg, int fd, unsigned events)
{
        struct proc *p = arg;
        siginfo_t si = {0};
        (void)events;
        if (waitid(P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0)
                return; /* not yet: the descriptor stays ready until it has ended */
        p->exit.signaled = si.si_code != CLD_EXITED;
        p->exit.code = p->exit.signaled ? 0 : si.si_status;
        p->exit.signo = p->exit.signaled ? si.si_status : 0;
        loop_io_free(take_ptr(p->exit_io));
        input_end(p);
        if (p->capture_max > 0)
                loop_timer_arm(p->output_timer, PROC_OUTPUT_GRACE_MS);
        finish_if_complete(p);
}

static void on_output(void *arg, int fd, unsigned events)
{
        struct capture *c = arg;
        char chunk[READ_CHUNK];
        (void)events;
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                capture_end(c);
                finish_if_complete(c->proc);
                return;
        }
        size_t room = c->proc->capture_max - c->text.len;
        if ((size_t)n > room)
                c->proc->exit.truncated = true;
        strbuf_add(&c->text, chunk, (size_t)n > room ? room : (size_t)n);
}

static void on_input(void *arg, int fd, unsigned events)
{
        struct proc *p = arg;
        (void)events;
        ssize_t n = write(fd, p->input + p->input_sent, p->input_len - p->input_sent);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0)
                p->input_sent += (size_t)n;
        if (n < 0 || p->input_sent == p->input_len)
                input_end(p); /* a child that closed its input has read what it wanted */
}

/* ---- starting ---- */

/* The child's ends of the pipes: they close when the spawn is over, whatever came of it. */
struct child_ends {
        int in, out, err;
};

static void child_ends_close(const struct child_ends *e)
{
        closep(&e->in);
        closep(&e->out);
        closep(&e->err);
}

/* A pipe of which our end does not block. `ours` is 0 when we read and 1 when we write. */
static int make_pipe(int ours, int *ret_ours, int *ret_childs)
{
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_ours = fds[ours];
        *ret_childs = fds[1 - ours];
        return fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_pipes(struct proc *p, const struct proc_spec *spec, struct child_ends *ends)
{
        int r = 0;
        if (spec->input != NULL)
                r = make_pipe(1, &p->input_fd, &ends->in);
        if (r == 0 && spec->capture_max > 0)
                r = make_pipe(0, &p->out.fd, &ends->out);
        if (r == 0 && spec->capture_max > 0)
                r = make_pipe(0, &p->err.fd, &ends->err);
        return r;
}

static bool names_fd(const struct proc_spec *spec, int to)
{
        for (size_t i = 0; i < spec->n_fds; i++)
                if (spec->fds[i].to == to)
                        return true;
        return false;
}

static int run(struct proc *p, const struct proc_spec *spec, const struct child_ends *ends,
               struct errinfo *err)
{
        struct proc_exec_fd fds[16];
        size_t n = 0;
        const struct proc_exec_fd standard[] = {
                {.from = ends->in, .to = STDIN_FILENO},
                {.from = ends->out, .to = STDOUT_FILENO},
                {.from = spec->capture_max > 0 ? ends->err : STDERR_FILENO, .to = STDERR_FILENO},
        };
        assert(spec->n_fds + ARRAY_SIZE(standard) <= ARRAY_SIZE(fds));
        for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
                if (!names_fd(spec, standard[i].to))
                        fds[n++] = standard[i];
        for (size_t i = 0; i < spec->n_fds; i++)
                fds[n++] = (struct proc_exec_fd){.from = spec->fds[i].from, .to = spec->fds[i].to};
        const struct proc_exec x = {
                .argv = spec->argv,
                .envp = spec->envp,
                .cwd = spec->cwd,
                .fds = fds,
                .n_fds = n,
                .new_session = spec->new_session,
                .new_group = spec->new_group,
                .dies_with_us = spec->dies_with_us,
                .blocked = spec->blocked,
        };
        return proc_exec(&x, &p->pid, &p->pidfd, err);
}

static void watch_end(struct proc *p)
{
        p->exit_io = loop_io_new(p->loop, p->pidfd, LOOP_READ, on_exit_ready, p);
}

static void watch(struct proc *p, const struct proc_spec *spec)
{
        watch_end(p);
        if (spec->input == NULL || spec->input_len == 0) {
                input_end(p);
        } else {
                p->input = xmalloc(spec->input_len);
                memcpy(p->input, spec->input, spec->input_len);
                p->input_len = spec->input_len;
                p->input_io = loop_io_new(p->loop, p->input_fd, LOOP_WRITE, on_input, p);
        }
        if (spec->capture_max > 0) {
                p->out.io = loop_io_new(p->loop, p->out.fd, LOOP_READ, on_output, &p->out);
                p->err.io = loop_io_new(p->loop, p->err.fd, LOOP_READ, on_output, &p->err);
                p->output_timer = loop_timer_new(p->loop, on_output_overdue, p);
        }
}

static struct proc *proc_new(struct loop *loop, proc_exit_fn *fn, void *arg)
{
        struct proc *p = xcalloc(1, sizeof(*p));
        *p = (struct proc){
                .loop = loop,
                .fn = fn,
                .arg = arg,
                .at_free = {.fn = on_loop_free, .arg = p},
                .pidfd = -1,
                .input_fd = -1,
                .out = {.proc = p, .fd = -1, .text = STRBUF_INIT},
                .err = {.proc = p, .fd = -1, .text = STRBUF_INIT},
        };
        return p;
}

int proc_spawn(struct loop *loop, const struct proc_spec *spec, proc_exit_fn *fn, void *arg,
               struct proc **ret_proc, struct errinfo *err)
{
        _cleanup_(child_ends_close) struct child_ends ends = {.in = -1, .out = -1, .err = -1};
        struct proc *p = proc_new(loop, fn, arg);
        p->leads_group = spec->new_session || spec->new_group;
        p->capture_max = spec->capture_max;
        int r = make_pipes(p, spec, &ends);
        if (r < 0)
                err_set(err, NULL, "cannot make a pipe for %s: %s", spec->argv[0], log_errno_text(r));
        else
                r = run(p, spec, &ends, err);
        if (r < 0) {
                proc_free(p);
                return r;
        }
        watch(p, spec);
        *ret_proc = p;
        return 0;
}

struct proc *proc_adopt(struct loop *loop, pid_t pid, int pidfd, proc_exit_fn *fn, void *arg)
{
        struct proc *p = proc_new(loop, fn, arg);
        p->pid = pid;
        p->pidfd = pidfd;
        watch_end(p);
        return p;
}

pid_t proc_pid(const struct proc *p)
{
        return p->pid;
}

int proc_pidfd(const struct proc *p)
{
        return p->pidfd;
}

int proc_kill(struct proc *p, int signo, bool group)
{
        assert(!group || p->leads_group);
        int r = group ? kill(-p->pid, signo) : pidfd_send_signal(p->pidfd, signo, NULL, 0);
        return r < 0 && errno != ESRCH ? -errno : 0;
}

void proc_forget(struct proc *p)
{
        if (p == NULL || p->fn == NULL)
                return;
        p->fn = NULL;
        loop_at_free_add(p->loop, &p->at_free);
}
