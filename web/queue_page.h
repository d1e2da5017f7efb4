/*
 * queue_page.h - GET /queue?after=LIST:KEY: the next page of a list of the queue.
 *
 * Unlike the first page it is not kept: nobody else asks for the same one. A few may be under way at a time;
 * who asks for more gets 503 and asks again, so that nobody can load the database by turning pages.
 */
#pragma once

#include <stdbool.h>

struct db;
struct http_conn;
struct queue_pages;

struct queue_pages *queue_pages_new(struct db *db);
void queue_pages_free(struct queue_pages *q); /* none may be under way; NULL is fine */
/* Whether the request is for such a page; then it is answered, now or later. */
bool queue_pages_answer(struct queue_pages *q, struct http_conn *conn);
