/*
 * cgroup.h - a cgroup of its own for the agent of one run, below the one that the shim runs in.
 *
 * Only in cgroup v2, and only below a cgroup that was delegated to us: systemd says so by an attribute
 * (Delegate=yes), for other users than root its owner does. It has no controllers; it is there to be frozen
 * as a whole. Its name follows from the run folder, so that the next shim of the job can remove what a killed
 * one has left.
 */
#pragma once

#include <stdbool.h>

/* A descriptor of the new cgroup; -1: there is none to be had here. */
int cgroup_make(const char *run_dir);
/* The calling process goes into it. 0 or -errno. */
int cgroup_join(int fd);
/* 0 or -errno. */
int cgroup_set_frozen(int fd, bool frozen);
/* Takes the descriptor of an empty one. */
void cgroup_remove(int fd, const char *run_dir);
/* Kills what is in the cgroup of a run whose shim is dead, and removes it. 0: there is none (any more);
 * -EBUSY: not yet. */
int cgroup_clear(const char *run_dir);
