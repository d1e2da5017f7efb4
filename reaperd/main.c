/* orch-reaperd - finds processes that died without a word, and gives their work back. The work is in
 * sweep*.c, and what it means is in SQL. */
#include "common/sweeper.h"
#include "reaperd/sweep.h"

int main(int argc, char *argv[])
{
        static const struct sweeper reaperd = {
                .name = "reaperd",
                .summary = "Gives back the work of processes that died",
                .make = sweep_new,
                .wake = sweep_wake,
                .reload = sweep_reload,
                .stop = sweep_stop,
                .free = sweep_free,
        };
        return sweeper_main(argc, argv, &reaperd);
}
