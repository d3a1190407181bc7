/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BENCH_LOAD_JOB_H
#define BERTH_BENCH_LOAD_JOB_H

/*
 * load_job: what a connection asks next. Three kinds: the lines of a file by turns, all of them by each connection, and
 * pushes as docker does them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/digest.h"
#include "base/str.h"
#include "load_answer.h"

/* A request that is sent. The body, if there is one, comes from a file or from memory, in chunks or with its length. */
struct request {
	const char *head;       /* borrowed: request line and headers, and a small body behind them */
	size_t head_len;
	bool no_body;           /* HEAD: its answer has none */
	int body_fd;            /* -1, or a file whose bytes follow in chunks of 32 KiB, as docker sends them */
	off_t body_size;
};

enum job_kind { JOB_PATHS, JOB_PULLS, JOB_IMAGES };

#define JOB_BLOBS 16            /* layers and the config of an image */

/* What all connections do. */
struct job {
	enum job_kind kind;
	/* JOB_PATHS, JOB_PULLS: requests, ready to be sent */
	struct str *paths;
	bool *is_head;
	size_t count, next;
	/* JOB_IMAGES: repositories PREFIX/c0..., layers of an image and their size, or a file to be the one layer */
	const char *prefix, *host, *extra;
	unsigned layers;
	size_t layer_size;
	int file;               /* -1, or the layer's bytes */
	off_t file_size;
	struct digest file_digest;
	unsigned seed;
};

enum push_step { PUSH_HEAD, PUSH_POST, PUSH_PATCH, PUSH_PUT, PUSH_STAT, PUSH_MANIFEST };

/* Where one connection is. */
struct client {
	unsigned number, image;
	unsigned blob;          /* JOB_PULLS: the next line; JOB_IMAGES: of the image */
	/* JOB_IMAGES */
	enum push_step step;
	uint64_t random;
	char location[1024];
	struct digest digests[JOB_BLOBS];
	size_t sizes[JOB_BLOBS];
	struct str blobs[JOB_BLOBS];
	struct str out;
};

void job_client_init(struct client *c, unsigned number);
void job_client_release(struct client *c);

/* job_next - the next request of a client; borrowed until it is called again for it */
void job_next(struct job *j, struct client *c, struct request *r);

/*
 * job_answered - what came of it
 * done  set where with it a unit of work ended: a request, a pull, or an image
 * Returns false where it is not the answer that there has to be.
 */
bool job_answered(struct job *j, struct client *c, const struct answer *a, bool *done);

/* job_between - whether a client is at the beginning of a unit of work, and so may stop */
bool job_between(const struct job *j, const struct client *c);

/* job_paths - "METHOD PATH", or "METHOD PATH NAME: VALUE" with a header of its own, a line; 0, or -1 with a message on stderr */
int job_paths(struct job *j, const char *file);

#endif
