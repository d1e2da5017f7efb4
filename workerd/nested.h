/*
 * nested.h - finds folders below a tree that hold a repository of their own (an entry named .git of any
 * kind).
 *
 * git would open such a repository, and its configuration with it; what an agent left must never be opened.
 * The walk follows no symbolic link, makes unreadable folders readable, and handles a bounded number of
 * folders per turn.
 */
#pragma once

#include "common/argv.h"
#include "common/err.h"

struct loop;
struct nested;

/* r: 0, or -errno with the reason in `err`. `found`: paths relative to the tree, borrowed. The tree's own
 * .git does not count. Folders too deep for a path are reported too: git could not take them either. */
typedef void nested_fn(void *arg, int r, const struct argv *found, const struct errinfo *err);

struct nested *nested_find(struct loop *loop, const char *tree, nested_fn *fn, void *arg);
void nested_cancel(struct nested *op); /* NULL is fine */
