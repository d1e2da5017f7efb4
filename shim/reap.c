/* reap.c - waitpid until dry, and signals to what a walk over /proc shows to be ours. */
#include "shim/reap.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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

struct round {
        struct reap *reap;
        int signo;
        int children;
        bool group_lives; /* a child of ours is in the agent's group */
};

static bool had_term(struct reap *r, pid_t pid)
{
        for (unsigned i = 0; i < r->n_had_term; i++)
                if (r->had_term[i] == pid)
                        return true;
        if (r->n_had_term < sizeof(r->had_term) / sizeof(r->had_term[0]))
                r->had_term[r->n_had_term++] = pid;
        return false;
}

/* A failure means that it is gone, or not ours to kill: the next round, or the lack of one, tells. */
static bool on_process(void *arg, const struct procfs_entry *e)
{
        struct round *round = arg;
        if (e->parent != getpid())
                return true;
        round->children++;
        if (e->group == round->reap->leader)
                round->group_lives = true;
        else if (round->signo == SIGKILL || !had_term(round->reap, e->pid)) {
                (void)kill(e->pid, round->signo);
                if (round->signo != SIGKILL)
                        (void)kill(e->pid, SIGCONT);
        }
        return true;
}

static int signal_round(struct reap *r, int signo)
{
        struct round round = {.reap = r, .signo = signo};
        (void)procfs_walk(on_process, &round); /* without /proc the group is still reached below */
        if (!r->leader_gone)
                round.group_lives = true;
        if (round.group_lives && (signo == SIGKILL || !had_term(r, r->leader))) {
                (void)kill(-r->leader, signo);
                if (signo != SIGKILL)
                        (void)kill(-r->leader, SIGCONT);
        }
        return round.children;
}

void reap_term(struct reap *r)
{
        (void)signal_round(r, SIGTERM); /* how many does not matter yet */
}

int reap_kill(struct reap *r)
{
        return signal_round(r, SIGKILL);
}
