/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_POOL_H
#define BERTH_MASTER_POOL_H

/*
 * pool: the workers of one socket: how many there are to be, replacing those that die, and a reload without a gap.
 *
 * A worker belongs to one generation of the configuration. During a reload one worker of the new generation is started
 * at a time; once it is ready a worker of the old one is told to end. So there are never fewer than before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/metrics.h"
#include "os/seats.h"

struct worker_process;

struct pool {
	const char *label;
	unsigned number;                /* its place among the pools, for the metrics */
	int fd;                         /* the listening socket; -1: there is no such pool */
	bool outlives;                  /* the socket remains when the master ends: see struct sock */
	unsigned want;                  /* how many workers there are to be */
	struct seats *seats;            /* for workers that wait for locks: half of the pool */
	struct worker_process *procs;   /* owned */
	size_t count, cap;
	unsigned deaths;                /* workers that died soon after their start, in a row */
	uint64_t pause;                 /* in a crash loop: microseconds between one new worker and the next; else 0 */
	uint64_t not_before;            /* when the next worker may be started, microseconds; 0: at once */
};

void pool_release(struct pool *p);

/*
 * pool_tend - start and end workers so that there are `want` of this generation
 * run  is called in the new process, with arg, and does not return
 */
void pool_tend(struct pool *p, unsigned generation, void (*run)(void *arg, struct pool *p), void *arg);

/* pool_ready - a worker says that it accepts requests; nothing if it is none of this pool's */
void pool_ready(struct pool *p, pid_t pid);

/*
 * pool_reap - a process has ended: false if it is none of this pool's
 * expected  whether workers are ending because the master ends; else the log says it, and a crash loop is slowed down
 */
bool pool_reap(struct pool *p, pid_t pid, int status, bool expected);

/* pool_stop - tell all workers to end; `at_once`: without finishing their requests */
void pool_stop(struct pool *p, bool at_once);

/* pool_reset - forget a crash loop: the configuration is another one */
void pool_reset(struct pool *p);

/* pool_is_of - whether every worker that accepts requests, or will, is of this generation */
bool pool_is_of(struct pool *p, unsigned generation);

/* pool_serves - whether any worker accepts requests, or will; pool_size - how many accept requests now */
bool pool_serves(const struct pool *p);
unsigned pool_size(const struct pool *p);

#endif
