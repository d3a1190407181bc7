/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_METRICS_H
#define BERTH_BASE_METRICS_H

/*
 * metrics: counters that all processes of one master share.
 *
 * A fixed table of 64-bit words. One atomic instruction changes a word, without locks: a worker that is killed leaves no
 * partial change, and its counts remain. After metrics_share() this process and those that it forks share the table. Before
 * that, and in the operator's commands, the table belongs to the process alone, and nothing reads it.
 *
 * Routes, methods and locks are numbers here; http/h_monitor knows their names. No input from outside selects a place.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_ROUTES 48
#define METRICS_METHODS 8
#define METRICS_STATUSES 24     /* the last is "any other" */
#define METRICS_LOCKS 8
#define METRICS_TEXT 64         /* words of 8 bytes */
#define METRICS_BUCKETS 13      /* bounds of a histogram; one more bucket counts what exceeds them */

/*
 * Each pool of workers has a socket of its own. The first pool always exists, and does the work of one that does not, but for that of the
 * relay: what the relay asks is answered on its socket alone.
 */
enum metrics_pool { POOL_REQUESTS, POOL_WRITES, POOL_UPLOADS, POOL_RELAY, METRICS_POOLS };

enum metric {
	/* counters */
	METRIC_UPLOADS_BEGUN,
	METRIC_UPLOADS_ENDED,           /* finished, refused or cancelled by a client */
	METRIC_BLOBS_ADDED,             /* content that was not in the store before, manifests included */
	METRIC_BLOB_BYTES_ADDED,
	METRIC_QUOTA_REFUSED,
	METRIC_QUOTA_COUNTED,           /* tables made anew from the links */
	METRIC_LOGIN_WRONG,
	METRIC_LOGIN_THROTTLED,
	METRIC_LOGIN_UNAVAILABLE,       /* the files of users could not be read */
	METRIC_GC_DONE,
	METRIC_GC_FAILED,
	METRIC_GC_MANIFESTS,
	METRIC_GC_LINKS,
	METRIC_GC_BLOBS,
	METRIC_GC_UPLOADS,
	METRIC_GC_LEFTOVERS,
	METRIC_GC_BYTES,
	METRIC_RESTARTS,                /* one for each pool */
	METRIC_RESTARTS_END = METRIC_RESTARTS + METRICS_POOLS - 1,
	METRIC_RELAY_RESTARTS,          /* of the relay that the master starts */

	/* gauges */
	METRIC_STARTED,                 /* seconds since the epoch */
	METRIC_WORKERS,                 /* of each pool: workers that accept requests */
	METRIC_WORKERS_END = METRIC_WORKERS + METRICS_POOLS - 1,
	METRIC_WORKERS_WANTED,          /* of each pool; 0: the pool does not exist */
	METRIC_WORKERS_WANTED_END = METRIC_WORKERS_WANTED + METRICS_POOLS - 1,

	/* values that processes share: see care/gc_last.c, master/schedule.c, registry/ready.c and registry/denied.c */
	METRIC_GC_SEEN,
	METRIC_GC_DUE,                  /* when the master begins the next collection, seconds since the epoch; 0: none is planned */
	METRIC_GC_FAILED_BEGAN,         /* its last collection that failed; 0: none has */
	METRIC_GC_FAILED_ENDED,
	METRIC_GC_FAILED_AFTER,         /* which collection was the last that did not fail, then */
	METRIC_BLOBS_BASE,
	METRIC_BLOB_BYTES_BASE,
	METRIC_UPLOADS_BASE,
	METRIC_READY,
	METRIC_DENIED,
	METRIC_DENIED_TOLD,

	METRIC_COUNT
};

struct metrics_times {                  /* durations */
	_Atomic uint64_t bucket[METRICS_BUCKETS + 1];   /* not cumulative; the reader adds them up */
	_Atomic uint64_t usec;          /* their sum */
};

struct metrics {
	_Atomic uint64_t word[METRIC_COUNT];
	_Atomic uint64_t requests[METRICS_ROUTES][METRICS_METHODS][METRICS_STATUSES];
	_Atomic uint64_t in[METRICS_ROUTES], out[METRICS_ROUTES];       /* bytes of bodies */
	struct metrics_times took[METRICS_ROUTES];
	struct metrics_times waited[METRICS_LOCKS];
	_Atomic uint64_t text[METRICS_TEXT];
};

/* metrics_share - share one table with the processes that this one forks; call it once; 0, or -1 with errno */
int metrics_share(void);

/* metrics_table - the table, for reading */
const struct metrics *metrics_table(void);

void metrics_add(enum metric m, uint64_t n);
void metrics_set(enum metric m, uint64_t value);
uint64_t metrics_get(enum metric m);

/* metrics_swap - change a word from `was` to `value`; false if it is not `was` any more */
bool metrics_swap(enum metric m, uint64_t was, uint64_t value);

struct metrics_request {
	unsigned route, method;
	int status;
	uint64_t usec;
	uint64_t in, out;               /* bytes of the request's body and of the response's */
};

/* metrics_request - count a request that was answered; a number beyond the table counts as its last */
void metrics_request(const struct metrics_request *r);

/* metrics_waited - count a wait for a lock of this kind, which has ended */
void metrics_waited(unsigned lock, uint64_t usec);

/*
 * metrics_set_text - remember one text, for all processes; it is cut if it is too long
 * metrics_get_text - that text. If two processes set it at the same time, it may be a mixture of both: the reader validates it
 */
void metrics_set_text(const char *text);
void metrics_get_text(char text[METRICS_TEXT * 8 + 1]);

/* metrics_status - the status that a place among METRICS_STATUSES counts; 0: all others, -1: the place is unused */
int metrics_status(size_t place);

extern const uint64_t metrics_bounds[METRICS_BUCKETS];   /* microseconds, the upper bounds of the buckets */

#endif
