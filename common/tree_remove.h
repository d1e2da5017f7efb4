/*
 * tree_remove.h - removes a folder and all in it, whatever an agent has made of it.
 */
#pragma once

struct errinfo;
struct loop;

struct tree_remove;
/* r: 0, or -errno with the reason in `err`. */
typedef void tree_remove_fn(void *arg, int r, const struct errinfo *err);
/* Removes a folder and all in it, a bounded number of entries per turn of the loop. Symbolic links are
 * removed, never followed; folders that are not writable are made so; any depth; other file systems mounted
 * in it are refused. A folder that is not there counts as removed. */
struct tree_remove *tree_remove(struct loop *loop, const char *path, tree_remove_fn *fn, void *arg);
void tree_remove_cancel(struct tree_remove *op);
