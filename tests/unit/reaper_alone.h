/*
 * reaper_alone.h - a sweep without what has ticks of its own beside it: their questions would come between
 * those of the steps. Include it in one file per program; its definitions stand in for those of the library.
 */
#pragma once

#include "reaperd/disk_watch.h"
#include "reaperd/keeper.h"
#include "reaperd/pruner.h"

#define REAPER_WITHOUT(name)                                                                                 \
        struct name *name##_new(const struct sweep_config *cfg)                                              \
        {                                                                                                    \
                (void)cfg;                                                                                   \
                return NULL;                                                                                 \
        }                                                                                                    \
        void name##_free(struct name *n)                                                                     \
        {                                                                                                    \
                (void)n;                                                                                     \
        }                                                                                                    \
        void name##_wake(struct name *n)                                                                     \
        {                                                                                                    \
                (void)n;                                                                                     \
        }                                                                                                    \
        void name##_reload(struct name *n, const struct options *opt)                                        \
        {                                                                                                    \
                (void)n;                                                                                     \
                (void)opt;                                                                                   \
        }                                                                                                    \
        void name##_stop(struct name *n)                                                                     \
        {                                                                                                    \
                (void)n;                                                                                     \
        }

REAPER_WITHOUT(keeper)
REAPER_WITHOUT(disk_watch)
REAPER_WITHOUT(pruner)
