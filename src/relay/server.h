/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_SERVER_H
#define BERTH_RELAY_SERVER_H

/*
 * server: what nginx asks of the relay, over a Unix socket (doc/CACHE.md, "How it works").
 *
 * HTTP/1.0 as nginx speaks it to what is behind it: one GET or HEAD a connection, without a body, and the end of the answer is that of the
 * connection. So an answer that cannot be finished is one that is shorter than its Content-Length says: nginx breaks off the client's, too.
 *
 * The bytes of an answer come from a file that may still grow. They go from file to socket by sendfile(2), a piece at a time: a client takes no
 * memory however slow it is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

struct event_base;
struct reply;
struct server;

struct server_request {                 /* borrowed until the handler returns */
	bool head;                      /* HEAD: the answer is only a head */
	const char *path;               /* "/blob" */
	const char *query;              /* raw, without "?"; "": none */
	const char *range;              /* the header Range; "": none */
	const char *if_range;           /* the header If-Range; "": none */
	const char *id;                 /* of the client's request, for the log; "": none */
};

/* server_value - add the decoded value of a query's parameter; 1 found, 0 absent, -1 it is malformed or has a NUL */
int server_value(const struct server_request *q, const char *key, struct str *out);

/* A handler answers at once, or keeps the reply and answers later. */
typedef void server_handler(void *arg, struct reply *r, const struct server_request *q);

/* server_open - listen; owned by the caller. NULL with one line in *why. Until server_serve() each request is answered by 503 */
struct server *server_open(struct event_base *base, const char *socket, struct str *why);

/* server_serve - who answers from now on; NULL: nobody. Replies that are being given stay those of whom they were asked of */
void server_serve(struct server *s, server_handler *handler, void *arg);

/*
 * server_busy - whether one of those asked of the handler with this `arg` is still being given
 * server_cut  - cut these off; nobody is told
 */
bool server_busy(const struct server *s, const void *arg);
void server_cut(struct server *s, const void *arg);

/* server_close - stop, and cut all answers off; nobody is told */
void server_close(struct server **s);

/* server_sent - bytes of bodies that were handed to nginx so far */
uint64_t server_sent(const struct server *s);

/*
 * reply_watch - have `ended` called once when the connection has ended, in whatever way; the reply is gone then
 * Not called from within a function of this module that the owner calls, and not after reply_whole() or reply_cut().
 */
typedef void reply_ended(void *arg);
void reply_watch(struct reply *r, reply_ended *ended, void *arg);

bool reply_is_head(const struct reply *r);
const char *reply_id(const struct reply *r);

/*
 * reply_whole - answer with this, and be done with it
 * headers  lines, each with "\r\n"; Content-Length is added
 */
void reply_whole(struct reply *r, int status, const char *headers, const char *body, size_t len);

/*
 * reply_begin - begin an answer of `length` bytes that come from a file; `more` is called, now too, whenever there is room for some: it gives them by
 *               reply_piece(), or does nothing and gives them later
 * To a HEAD the answer is then complete.
 */
typedef void reply_more(void *arg);
void reply_begin(struct reply *r, int status, const char *headers, uint64_t length, reply_more *more);

/* reply_hungry - whether a piece may be given now */
bool reply_hungry(const struct reply *r);

/*
 * reply_piece - send [from, from+len) of a file that has these bytes, or the beginning of it: at most REPLY_PIECE, and no more than the answer lacks
 * fd  has to stay open until the connection has ended
 * Returns how many bytes were taken.
 */
#define REPLY_PIECE 65536
size_t reply_piece(struct reply *r, int fd, uint64_t from, uint64_t len);

/*
 * reply_lines - begin an answer of lines to a GET, whose end is that of the connection
 * reply_line  - add one. `last`: and be done with the reply; any other is left out while the one before it waits to be sent
 */
void reply_lines(struct reply *r);
void reply_line(struct reply *r, const char *line, bool last);

/* reply_cut - end the connection before the answer is whole; the reply is gone */
void reply_cut(struct reply *r);

#endif
