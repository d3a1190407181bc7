/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beat: the form of what a master says of itself, and who says it.
 *
 * Owns no state. Believes nothing that it reads: anybody who can write to the store can have written it.
 */
#include "store/beat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "store/machines.h"
#include "store/store_path.h"

#define HEX 16
#define HOST_AT (HEX + 1)
#define SINCE_AT (HOST_AT + BEAT_HOST + 1)
#define VERSION_AT (SINCE_AT + HEX + 1)
#define TEXT_LEN (VERSION_AT + BEAT_VERSION + 1)
_Static_assert(TEXT_LEN < BEAT_MAX, "a beat has no room");
#define LATEST (UINT64_C(1) << 37)      /* seconds since the epoch that a text can be made of */
#define SILENT 10                       /* seconds without a beat: the machine has ended, or stands still */

/* "NUMBER HOST SINCE VERSION\n" */
size_t beat_text(char text[BEAT_MAX], uint64_t number, int64_t since)
{
	char host[BEAT_HOST + 1] = "";

	if (gethostname(host, BEAT_HOST) < 0)
		snprintf(host, sizeof(host), "unknown");
	snprintf(text, BEAT_MAX, "%016" PRIx64 " %-*s %016" PRIx64 " %-*.*s\n", number, BEAT_HOST, host, (uint64_t)since, BEAT_VERSION, BEAT_VERSION,
		 PACKAGE_VERSION);
	return TEXT_LEN;
}

bool beat_is_name(const char *s)
{
	return strlen(s) == MACHINES_NAME && strspn(s, "0123456789abcdef") == MACHINES_NAME;
}

/* A field of a beat, which is filled with blanks. */
static void take_field(const char *text, size_t at, size_t width, char *out)
{
	while (width && text[at + width - 1] == ' ')
		width--;
	memcpy(out, text + at, width);
	out[width] = '\0';
}

/* Who wrote a file: 1, 0 it says nothing of that. */
static int read_one(struct store *st, const char *name, struct beat_seen *out)
{
	cleanup_str struct str path = STR_INIT;
	char text[BEAT_MAX];
	uint64_t size, since;

	*out = (struct beat_seen){ .host = "" };
	path_in(&path, STORE_MACHINES_DIR, name);
	if (!beat_is_name(name) || os_age(st->dirfd, path.buf, &out->beat, &size) < 0 ||
	    os_read_file(st->dirfd, path.buf, text, BEAT_MAX) != TEXT_LEN ||
	    str_parse_hex(text + SINCE_AT, HEX, &since) < 0 || since > LATEST)
		return 0;
	out->since = (int64_t)since;
	take_field(text, HOST_AT, BEAT_HOST, out->host);
	take_field(text, VERSION_AT, BEAT_VERSION, out->version);
	return 1;
}

static int by_host(const void *a, const void *b)
{
	const struct beat_seen *x = a, *y = b;
	int c = strcmp(x->host, y->host);

	return c ? c : (x->since > y->since) - (x->since < y->since);
}

int beat_seen_all(struct store *st, struct beat_seen **v, size_t *count, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	int64_t now = 0;
	size_t i;

	*v = NULL;
	*count = 0;
	if (st->local)
		return 0;
	if (os_dir_list(st->dirfd, STORE_MACHINES_DIR, DIR_ALL, &names) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot read %s", STORE_MACHINES_DIR);
	*v = xcalloc(names.count + 1, sizeof(**v));
	for (i = 0; i < names.count; i++)
		*count += (size_t)read_one(st, names.v[i], *v + *count);
	for (i = 0; i < *count; i++)
		now = (*v)[i].beat > now ? (*v)[i].beat : now;
	for (i = 0; i < *count; i++)
		(*v)[i].serves = now - (*v)[i].beat <= SILENT;
	if (*count)
		qsort(*v, *count, sizeof(**v), by_host);
	return 0;
}
