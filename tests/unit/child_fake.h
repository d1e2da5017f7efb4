/*
 * child_fake.h - a daemon for the tests of child.c: plays a script of letters, then waits for the end of the
 * supervisor.
 *
 *  R D A   says ready, draining, alive     t i a   is deaf to SIGTERM, SIGINT, SIGABRT
 *  ?       says what is no kind            T       leaves at SIGTERM
 *  s l     says ready, too short, too long u h     says alive at SIGUSR1, SIGHUP
 *  c       ends with EXIT_CONFIG           x       ends with 3
 *
 * Every message carries the pid as its units of work, so that the test knows whom it talks to; those at a
 * signal one more.
 */
#pragma once

_Noreturn void child_fake_run(const char *script);
