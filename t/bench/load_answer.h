/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BENCH_LOAD_ANSWER_H
#define BERTH_BENCH_LOAD_ANSWER_H

/*
 * load_answer: HTTP/1.1 answers as they come in, piece by piece; their bodies are counted and thrown away.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_at { ANSWER_HEAD, ANSWER_LENGTH, ANSWER_CHUNK_SIZE, ANSWER_CHUNK, ANSWER_TRAILER, ANSWER_WHOLE, ANSWER_BAD };

struct answer {
	enum answer_at at;
	bool no_body;           /* it answers a HEAD */
	bool close;             /* no request may follow it on this connection */
	int status;
	uint64_t left;          /* bytes of the body, or of this chunk, that are to come */
	uint64_t bytes;         /* of head and body that came */
	char location[1024];    /* path of the Location header, or "" */
	char line[2048];
	size_t line_len;
};

void answer_begin(struct answer *a, bool no_body);

/* answer_take - what came in; how many bytes of it belong to this answer. `at` is then ANSWER_WHOLE or _BAD, or more is needed. */
size_t answer_take(struct answer *a, const char *data, size_t len);

/* answer_skip - how many bytes may be thrown away unseen, and that so many were */
uint64_t answer_skippable(const struct answer *a);
void answer_skip(struct answer *a, uint64_t n);

#endif
