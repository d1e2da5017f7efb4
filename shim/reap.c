/* reap.c - waitpid until dry, and signals to what walks over /proc show to be ours. */
#include "shim/reap.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/family.h"
#include "shim/procfs.h"

enum reap_seen reap_collect(struct reap *r)
{
        enum reap_seen seen = REAP_NOTHING;
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                if (pid == r->leader && !r->leader_gone) {
                        r->leader_gone = true;
                        r->leader_status = status;
                        seen = REAP_LEADER;
                } else if (seen == REAP_NOTHING) {
                        seen = REAP_SOME;
                }
        }
        return pid < 0 && errno == ECHILD ? REAP_NONE_LEFT : seen;
}

static bool had_term(struct reap *r, pid_t pid)
{
        for (unsigned i = 0; i < r->n_had_term; i++)
                if (r->had_term[i] == pid)
                        return true;
        if (r->n_had_term < sizeof(r->had_term) / sizeof(r->had_term[0]))
                r->had_term[r->n_had_term++] = pid;
        return false;
}

struct round {
        struct reap *reap;
        int found;
        bool group_lives; /* a child of ours is in the agent's group */
};

/* Those in the group get theirs with the group. */
static bool term_one(void *arg, const struct procfs_entry *e)
{
        struct round *round = arg;
        if (e->parent != getpid())
                return true;
        if (e->group == round->reap->leader) {
                round->group_lives = true;
        } else if (!had_term(round->reap, e->pid)) {
                procfs_signal(e, SIGTERM);
                procfs_signal(e, SIGCONT);
        }
        return true;
}

void reap_term(struct reap *r)
{
        struct round round = {.reap = r, .group_lives = !r->leader_gone};
        (void)procfs_walk(term_one, &round); /* without /proc the group is still reached below */
        if (round.group_lives && !had_term(r, r->leader)) {
                (void)kill(-r->leader, SIGTERM);
                (void)kill(-r->leader, SIGCONT);
        }
}

static bool kill_one(void *arg, const struct procfs_entry *e)
{
        struct round *round = arg;
        round->found++;
        if (e->parent == getpid() && e->group == round->reap->leader)
                round->group_lives = true;
        procfs_signal(e, SIGKILL);
        return true;
}

int reap_kill(struct reap *r)
{
        struct round round = {.reap = r, .group_lives = !r->leader_gone};
        (void)family_walk(kill_one, &round); /* as above */
        if (round.group_lives)
                (void)kill(-r->leader, SIGKILL);
        return round.found;
}
