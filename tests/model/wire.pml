/*
 * wire.pml - statements on their way. Each worker has one connection, and one statement on it at a time (common/db.h).
 * LATE is a connection that its client has given up, with a statement that the server may still execute.
 */
#define FREE     0 /* phase */
#define SENT     1 /* on the way, or waiting for its turn at the server */
#define BEGUN    2 /* claim.pml, a claim: has looked, holds the row lock, has not committed */
#define ANSWERED 3 /* committed; the answer is on its way back */

#define CLAIM    1 /* what it says, each the SQL function of that name */
#define DISOWN   2 /* process_disown: a claim that a beat has named, and the sender does not know */
#define STARTED  3 /* job_started: announces a shim, and asks whether the claim is still good */
#define FINISH   4 /* job_finish: success */
#define GIVE_UP  5 /* job_finish: this run came to nothing, the job is to run again */
#define BEAT     6 /* process_beat */
#define ADOPT    7 /* job_adopt */
#define RELEASE  8 /* job_release: nothing acts under this claim any more */

typedef statement {
        byte phase;
        byte what;
        byte row;
        byte epoch;
        byte token;
        bit yes;     /* the answer */
        bit alive    /* the answer to BEAT: the process row has not ended */
};

#define LATE 2
statement wire[3];

inline forget(c)
{
        wire[c].phase = FREE;
        wire[c].what = 0;
        wire[c].row = 0;
        wire[c].epoch = 0;
        wire[c].token = 0;
        wire[c].yes = 0;
        wire[c].alive = 0
}

inline send(c, say, from_row, with_epoch, with_token)
{
        wire[c].what = say;
        wire[c].row = from_row;
        wire[c].epoch = with_epoch;
        wire[c].token = with_token;
        wire[c].phase = SENT
}

inline abandon(c)
{
        wire[LATE].phase = wire[c].phase;
        wire[LATE].what = wire[c].what;
        wire[LATE].row = wire[c].row;
        wire[LATE].epoch = wire[c].epoch;
        wire[LATE].token = wire[c].token;
        forget(c)
}
