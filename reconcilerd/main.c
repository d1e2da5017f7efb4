/* orch-reconcilerd - moves on what stands still although nothing holds it. The work is in sweep.c, and what
 * it means is in SQL. */
#include "common/sweeper.h"
#include "reconcilerd/sweep.h"

int main(int argc, char *argv[])
{
        static const struct sweeper reconcilerd = {
                .name = "reconcilerd",
                .summary = "Moves on tasks whose event or job was lost",
                .make = sweep_new,
                .wake = sweep_wake,
                .reload = sweep_reload,
                .stop = sweep_stop,
                .free = sweep_free,
        };
        return sweeper_main(argc, argv, &reconcilerd);
}
