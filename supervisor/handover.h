/*
 * handover.h - what a supervisor leaves to the program that it becomes (execve) in an upgrade: a sealed memfd
 * with one line per value, as handover.def lists them. The descriptors that it names stay open across the
 * exec.
 *
 * It is read strictly: the version, the order, every name and every limit must be exact, since a supervisor
 * that misread one number would close or signal what is not its own. Two builds whose versions differ refuse
 * each other in the trial (trial.h), before anything has changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metrics.h"
#include "supervisor/child.h"

struct errinfo;

#define HANDOVER_VERSION      2
#define HANDOVER_BYTES_MAX    262144
#define HANDOVER_CHILDREN_MAX 256
#define HANDOVER_NAME_LEN     24

struct handover_child {
        char service[HANDOVER_NAME_LEN];
#define HANDOVER_CHILD(field, min, max) int64_t field;
#include "supervisor/handover.def"
};

struct handover {
#define HANDOVER_TEXT(field) char *field;
#include "supervisor/handover.def"
#define HANDOVER_SUITE(field, min, max) int64_t field;
#include "supervisor/handover.def"
        struct handover_child *children;
        size_t n_children;
};

#define HANDOVER_INIT                                                                                        \
        {                                                                                                    \
                .children = NULL                                                                             \
        }

void handover_deinit(struct handover *h);
/* One more child of a service, all zero; valid until the next is added. */
struct handover_child *handover_add_child(struct handover *h, const char *service);

/* A new memfd, close-on-exec: 0, or -errno with the reason in `err`. */
int handover_write(const struct handover *h, int *ret_fd, struct errinfo *err);
/* Borrows the fd. 0, or -errno with the reason in `err`. `ret` is written only on success. */
int handover_read(int fd, struct handover *ret, struct errinfo *err);

/* Sets every descriptor that is named to stay open across an exec, or to be closed by it. 0; -errno when one
 * is not open, the others are then as they happen to be. */
int handover_keep_open(const struct handover *h, bool across_exec);
/* After the exec: sets them to be closed by the next one, and checks that they are what they are said to be,
 * and the processes children of ours. 0, or -errno with the reason in `err`. */
int handover_take_fds(const struct handover *h, struct errinfo *err);
