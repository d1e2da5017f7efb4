/*
 * events.h - the consumer side of the inbox: reads what nobody has read, notes what it is about, has it
 * handled.
 *
 * Reading is ours (JSON has no business in the database), handling is one SQL function, in order per key. A
 * delivery that cannot be read is put aside once and never tried again. All processes do this at the same
 * time; the first that routes an event wins.
 */
#pragma once

struct loop;
struct db;
struct events;

struct events *events_new(struct db *db);
void events_free(struct events *ev);
/* There may be something: runs until nothing is left. */
void events_wake(struct events *ev);
void events_stop(struct events *ev); /* nothing more is sent; what was sent is idempotent */
