/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_METRICS_H
#define BERTH_BASE_METRICS_H

/*
 * metrics: counters that all processes of one master share.
 *
 * A fixed table of 64-bit words, each changed by one instruction and without locks: a worker that is killed leaves
 * nothing half done, and what it has counted stays. After metrics_share() the table is in memory that those forked later
 * share; before, and in the operator's commands, it is the process' own and nobody reads it.
 *
 * Routes, methods and locks are numbers here; who reads the table knows their names (http/h_monitor). Nothing from
 * outside ever chooses a place.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_ROUTES 16
#define METRICS_METHODS 8
#define METRICS_STATUSES 24     /* the last is "any other" */
#define METRICS_LOCKS 8
#define METRICS_BUCKETS 13      /* bounds of a histogram; one more bucket has what is beyond them */

/* The workers of one socket each. The first is always there, and does what belongs to one that is not. */
enum metrics_pool { POOL_REQUESTS, POOL_WRITES, POOL_UPLOADS, METRICS_POOLS };

enum metric {
	/* counters */
	METRIC_UPLOADS_BEGUN,
	METRIC_UPLOADS_ENDED,           /* finished, refused or cancelled by a client */
	METRIC_BLOBS_ADDED,             /* content that was not in the store before, manifests among it */
	METRIC_BLOB_BYTES_ADDED,
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

	/* gauges */
	METRIC_STARTED,                 /* seconds since the epoch */
	METRIC_WORKERS,                 /* of each pool: those that take requests */
	METRIC_WORKERS_END = METRIC_WORKERS + METRICS_POOLS - 1,
	METRIC_WORKERS_WANTED,          /* of each pool; 0: there is no such pool */
	METRIC_WORKERS_WANTED_END = METRIC_WORKERS_WANTED + METRICS_POOLS - 1,

	/* notes that processes leave for each other: see registry/gc_last.c and registry/ready.c */
	METRIC_GC_SEEN,
	METRIC_BLOBS_BASE,
	METRIC_BLOB_BYTES_BASE,
	METRIC_UPLOADS_BASE,
	METRIC_READY,

	METRIC_COUNT
};

struct metrics_times {                  /* durations */
	_Atomic uint64_t bucket[METRICS_BUCKETS + 1];   /* each has its own; they are added up where they are shown */
	_Atomic uint64_t usec;          /* their sum */
};

struct metrics {
	_Atomic uint64_t word[METRIC_COUNT];
	_Atomic uint64_t requests[METRICS_ROUTES][METRICS_METHODS][METRICS_STATUSES];
	_Atomic uint64_t in[METRICS_ROUTES], out[METRICS_ROUTES];       /* bytes of bodies */
	struct metrics_times took[METRICS_ROUTES];
	struct metrics_times waited[METRICS_LOCKS];
};

/* metrics_share - from now on one table for this process and those it forks; once. 0, or -1 with errno */
int metrics_share(void);

/* metrics_table - the table, to be read */
const struct metrics *metrics_table(void);

void metrics_add(enum metric m, uint64_t n);
void metrics_set(enum metric m, uint64_t value);
uint64_t metrics_get(enum metric m);

/* metrics_swap - change a word from what it was; false where it is something else by now */
bool metrics_swap(enum metric m, uint64_t was, uint64_t value);

struct metrics_request {
	unsigned route, method;
	int status;
	uint64_t usec;
	uint64_t in, out;               /* bytes of its body, and of the answer's */
};

/* metrics_request - a request was answered; numbers beyond the table count as its last */
void metrics_request(const struct metrics_request *r);

/* metrics_waited - a wait for a lock of this kind is over */
void metrics_waited(unsigned lock, uint64_t usec);

/* metrics_status - the status that a place among METRICS_STATUSES is for; 0: any other, -1: for none */
int metrics_status(size_t place);

extern const uint64_t metrics_bounds[METRICS_BUCKETS];   /* microseconds, the upper bounds of the buckets */

#endif
