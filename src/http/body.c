/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body: reads a request's body.
 *
 * Owns nothing. Invariant: a body that ends early, or whose length is not its Content-Length, is refused as a whole.
 */
#include "http/body.h"

#include <inttypes.h>
#include <string.h>

#include "conf/rules.h"
#include "http/fcgi_io.h"
#include "os/file.h"
#include "registry/reg_rules.h"

#define PIECE (64 * 1024)

static int broken(struct err *e)
{
	return err_set(e, ERR_SIZE_INVALID, "the body ended early");
}

static int too_large(uint64_t max, struct err *e)
{
	err_set(e, ERR_SIZE_INVALID, "at most %" PRIu64 " bytes are accepted", max);
	return err_status(e, 413);
}

static int check_length(const struct exchange *x, uint64_t have, struct err *e)
{
	if (!x->rq.length_known || x->rq.length == have)
		return 0;
	return err_set(e, ERR_SIZE_INVALID, "Content-Length is %" PRIu64 ", the body has %" PRIu64 " bytes",
		       x->rq.length, have);
}

/* For a web server that does not spool: copies the stream to a new file on the store's file system. */
static int copy_stream(struct exchange *x, struct spool *sp, struct err *e)
{
	static char buf[PIECE];
	uint64_t max = rules_max_size(x->reg->cfg, &x->name);

	for (;;) {
		ssize_t n = fcgi_read(x->fr, buf, sizeof(buf));

		if (n < 0)
			return broken(e);
		if (n == 0)
			return 0;
		if (!sp->own && spool_make(sp, x->reg->st, e) < 0)
			return -1;
		sp->size += (uint64_t)n;
		if (max && sp->size > max)
			return reg_rules_too_large(x->reg, &x->name, e);
		if (os_write_full(sp->fd, buf, (size_t)n) < 0)
			return err_sys(e, "cannot write %s", sp->path.buf);
	}
}

int body_spool(struct exchange *x, struct spool *sp, struct err *e)
{
	int rc = 0;

	if (x->rq.body_file)
		rc = spool_open(sp, x->reg->st, x->rq.body_file, e);
	else if (!x->rq.length_known || x->rq.length > 0)
		rc = copy_stream(x, sp, e);
	return rc < 0 ? -1 : check_length(x, sp->size, e);
}

static int read_spooled(struct exchange *x, size_t max, struct str *out, struct err *e)
{
	cleanup_spool struct spool sp = SPOOL_INIT;

	if (spool_open(&sp, x->reg->st, x->rq.body_file, e) < 0)
		return -1;
	if (sp.size > max)
		return too_large(max, e);
	return os_read_str(sp.fd, sp.size, out) < 0 ? err_sys(e, "cannot read the spooled body") : 0;
}

static int read_stream(struct exchange *x, size_t max, struct str *out, struct err *e)
{
	static char buf[PIECE];
	int rc = 0;
	ssize_t n;

	while (rc == 0 && (n = fcgi_read(x->fr, buf, sizeof(buf))) != 0) {
		if (n < 0)
			rc = broken(e);
		else if ((size_t)n > max - out->len)
			rc = too_large(max, e);
		else
			str_add(out, buf, (size_t)n);
	}
	if (out->secret)
		explicit_bzero(buf, sizeof(buf));
	return rc;
}

int body_read(struct exchange *x, size_t max, struct str *out, struct err *e)
{
	int rc;

	str_reset(out);
	if (x->rq.length_known && x->rq.length > max)
		rc = too_large(max, e);
	else if (x->rq.body_file && !out->secret)
		rc = read_spooled(x, max, out, e);
	else
		rc = read_stream(x, max, out, e);
	if (out->secret)
		fcgi_wipe_read(x->fr, true);
	return rc < 0 ? -1 : check_length(x, out->len, e);
}
