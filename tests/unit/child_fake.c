/* child_fake.c - plays the scripts of child_fake.h, with system calls only. */
#include "tests/unit/child_fake.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/contract.h"

static int status_fd = -1;

/* Every message carries the pid as its units of work, so that the test knows whom it talks to. */
static void say(uint8_t kind, size_t size)
{
        struct contract_status status[2] = {{.kind = kind, .busy = (uint32_t)getpid()}};
        (void)send(status_fd, status, size, 0);
}

static void exit_0(int signo)
{
        (void)signo;
        _exit(0);
}

/* One more unit of work: the test sees that this message has come. */
static void say_alive(int signo)
{
        struct contract_status status = {.kind = CONTRACT_ALIVE, .busy = (uint32_t)getpid() + 1};
        (void)signo;
        (void)send(status_fd, &status, sizeof(status), 0);
}

static void act(char letter)
{
        switch (letter) {
        case 'R': /* ready */
        case 'D': /* draining */
        case 'A': /* alive */
        case '?': /* no kind that exists */
                say((uint8_t)letter, sizeof(struct contract_status));
                break;
        case 's': /* a short message */
                say(CONTRACT_READY, sizeof(struct contract_status) - 1);
                break;
        case 'l': /* a long one */
                say(CONTRACT_READY, sizeof(struct contract_status) * 2);
                break;
        case 't': /* deaf to SIGTERM */
                (void)signal(SIGTERM, SIG_IGN);
                break;
        case 'i': /* to SIGINT */
                (void)signal(SIGINT, SIG_IGN);
                break;
        case 'a': /* to SIGABRT */
                (void)signal(SIGABRT, SIG_IGN);
                break;
        case 'T': /* leaves at SIGTERM */
                (void)signal(SIGTERM, exit_0);
                break;
        case 'u': /* says that it is alive at SIGUSR1 */
                (void)signal(SIGUSR1, say_alive);
                break;
        case 'h': /* and at SIGHUP */
                (void)signal(SIGHUP, say_alive);
                break;
        case 'c': /* the configuration is wrong */
                _exit(EXIT_CONFIG);
        default: /* x: ends with 3 */
                _exit(3);
        }
}

/* Plays its script, then leaves when the supervisor has gone, as any daemon does. */
_Noreturn void child_fake_run(const char *script)
{
        const char *text = getenv(CONTRACT_ENV_STATUS_FD);
        struct pollfd channel = {.fd = -1};
        sigset_t heard;
        if (text == NULL)
                _exit(EXIT_USAGE);
        channel.fd = status_fd = (int)strtol(text, NULL, 10);
        for (; *script != '\0'; script++)
                act(*script);
        contract_signals(&heard);
        (void)sigprocmask(SIG_UNBLOCK, &heard, NULL);
        while ((channel.revents & POLLHUP) == 0)
                (void)poll(&channel, 1, -1);
        _exit(0);
}
