/*
 * fuzz_control.c - any bytes that a peer says to a shim, in one piece and byte by byte: the words that are
 * heard must be the same, and nothing is heard after the first line that is none.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 512 /* fits into a socket */

struct heard {
        enum control_word words[INPUT_MAX];
        int64_t sent_ms[INPUT_MAX]; /* of renewals */
        size_t n;
        bool hung_up;
};

static void must(bool holds)
{
        if (!holds)
                abort();
}

static void hear(struct control *c, struct heard *heard)
{
        enum control_word word;
        int64_t sent_ms = 0;
        while ((word = control_next(c, &sent_ms)) != CONTROL_NOTHING) {
                must(heard->n < INPUT_MAX && sent_ms >= 0);
                heard->sent_ms[heard->n] = word == CONTROL_RENEW ? sent_ms : 0;
                heard->words[heard->n++] = word;
        }
        heard->hung_up = c->peer_fd < 0;
}

/* `piece` bytes are sent at a time. */
static void say(const uint8_t *data, size_t size, size_t piece, struct heard *heard)
{
        struct control c = CONTROL_INIT;
        int ends[2];
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
        c.peer_fd = ends[0];
        while (size > 0 && c.peer_fd >= 0) {
                size_t n = piece < size ? piece : size;
                must(write(ends[1], data, n) == (ssize_t)n);
                data += n;
                size -= n;
                for (size_t turn = 0; turn <= n / CONTROL_LINE_MAX + 8 && c.peer_fd >= 0; turn++) {
                        control_read(&c);
                        hear(&c, heard);
                }
        }
        if (c.peer_fd >= 0)
                (void)close(c.peer_fd);
        (void)close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct heard whole, pieces;
        if (size > INPUT_MAX)
                size = INPUT_MAX;
        memset(&whole, 0, sizeof(whole));
        memset(&pieces, 0, sizeof(pieces));
        say(data, size, size, &whole);
        say(data, size, 1, &pieces);
        must(whole.n == pieces.n && whole.hung_up == pieces.hung_up);
        must(memcmp(whole.words, pieces.words, sizeof(whole.words)) == 0);
        must(memcmp(whole.sent_ms, pieces.sent_ms, sizeof(whole.sent_ms)) == 0);
        return 0;
}
