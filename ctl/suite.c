/* suite.c - pid file, signals and readiness of the suite on this host. */
#include "ctl/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/text.h"

#define PID_WAIT_MS      1000 /* a supervisor locks the file, then writes its pid */
#define READY_TIMEOUT_MS 2000L
#define ANSWER_MAX       400 /* of /readyz, when quoted */

/* Whether somebody holds the lock: 1 or 0, or -errno. Our own shared lock is dropped at once. */
static int is_locked(int fd)
{
        if (flock(fd, LOCK_SH | LOCK_NB) == 0)
                return flock(fd, LOCK_UN) == 0 ? 0 : -errno;
        return errno == EWOULDBLOCK ? 1 : -errno;
}

static pid_t read_pid(int fd)
{
        char text[32];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        long pid = strtol(text, NULL, 10);
        return pid > 1 ? (pid_t)pid : 0;
}

/* The holder of the lock as a pidfd. It may end, and another take over, between any two steps: what was read
 * counts only when the lock is still held and the pid still there after the pidfd was opened. */
static int hold_owner(int fd, struct suite *s)
{
        for (int64_t deadline = ctl_now_ms() + PID_WAIT_MS; ctl_now_ms() < deadline; ctl_sleep_ms(10)) {
                int locked = is_locked(fd);
                if (locked <= 0)
                        return locked;
                pid_t pid = read_pid(fd);
                int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
                if (pidfd >= 0 && is_locked(fd) == 1 && read_pid(fd) == pid) {
                        *s = (struct suite){.pid = pid, .pidfd = pidfd};
                        return 0;
                }
                if (pidfd >= 0)
                        (void)close(pidfd);
        }
        return -ESRCH;
}

int suite_find(const char *state_dir, struct suite *ret_suite, struct errinfo *err)
{
        _cleanup_(freep) char *path = xasprintf("%s/supervisor.pid", state_dir);
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct suite s = SUITE_INIT;
        int r = fd >= 0 ? hold_owner(fd, &s) : -errno;
        if (r == -ESRCH)
                err_set(err, "", "%s is locked, but by no process that can be seen from here", path);
        else if (r < 0 && r != -ENOENT)
                err_set(err, "", "cannot read %s: %s", path, strerror(-r));
        if (r < 0 && r != -ENOENT)
                return r;
        *ret_suite = s;
        return 0;
}

void suite_deinit(struct suite *s)
{
        if (s->pidfd >= 0)
                (void)close(s->pidfd);
        *s = (struct suite)SUITE_INIT;
}

bool suite_wait_end(const struct suite *s, int64_t deadline_ms)
{
        struct pollfd fd = {.fd = s->pidfd, .events = POLLIN};
        for (;;) {
                int64_t left = deadline_ms - ctl_now_ms();
                int n = poll(&fd, 1, left > 0 ? (int)(left < 60000 ? left : 60000) : 0);
                if (n > 0)
                        return true;
                if (left <= 0)
                        return false;
        }
}

int suite_signal(const struct suite *s, int signo)
{
        if (pidfd_send_signal(s->pidfd, signo, NULL, 0) == 0 || errno == ESRCH)
                return 0;
        return -errno;
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
        struct strbuf *body = arg;
        size_t len = size * n;
        if (body->len < ANSWER_MAX)
                strbuf_add(body, data, len < ANSWER_MAX - body->len ? len : ANSWER_MAX - body->len);
        return len;
}

/* The HTTP status, or 0 with curl's words in `why`. */
static long get_status(const char *url, struct strbuf *body, struct strbuf *why)
{
        char words[CURL_ERROR_SIZE] = "";
        long status = 0;
        CURL *curl = curl_easy_init();
        if (curl == NULL)
                return 0;
        (void)curl_easy_setopt(curl, CURLOPT_URL, url);
        (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* ours is this host */
        (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, READY_TIMEOUT_MS);
        (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
        CURLcode r = curl_easy_perform(curl);
        if (r == CURLE_OK)
                (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        else
                strbuf_addstr(why, words[0] != '\0' ? words : curl_easy_strerror(r));
        curl_easy_cleanup(curl);
        return status;
}

bool suite_is_ready(const char *listen_status, struct strbuf *why)
{
        _cleanup_(strbuf_deinit) struct strbuf body = STRBUF_INIT;
        _cleanup_(freep) char *url = xasprintf("http://%s/readyz?verbose", listen_status);
        strbuf_reset(why);
        long status = get_status(url, &body, why);
        if (status == 200)
                return true;
        if (status != 0) {
                strbuf_addf(why, "%s answers %ld: ", url, status);
                text_clean(why, body.buf);
        }
        return false;
}
