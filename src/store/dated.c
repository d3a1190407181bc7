/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dated: lines that were counted at one moment.
 *
 * Owns the frame of the file.
 */
#include "store/dated.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define END "end\n"

void dated_release(struct dated *d)
{
	str_release(&d->text);
}

void dated_begin(struct str *out, const char *head, int64_t when)
{
	str_addf(out, "%s%" PRId64 "\n", head, when);
}

void dated_end(struct str *out)
{
	str_puts(out, END);
}

int dated_read(struct store *st, const char *path, const char *head, uint64_t max, struct dated *d, struct err *e)
{
	size_t len = strlen(head), end = sizeof(END) - 1, digits;
	uint64_t when;
	int found = store_read(st, path, max, &d->text);

	if (found <= 0)
		return found == 0 || errno == EUCLEAN ? 0 : err_sys(e, "cannot read %s", path);
	if (d->text.len < len + 2 + end || memcmp(d->text.buf, head, len) != 0 || strcmp(d->text.buf + d->text.len - end, END) != 0)
		return 0;
	digits = strcspn(d->text.buf + len, "\n");
	if (str_parse_u64(d->text.buf + len, digits, &when) < 0 || when > INT64_MAX)
		return 0;
	d->when = (int64_t)when;
	d->first = len + digits + 1;
	str_cut(&d->text, d->text.len - end);
	return 1;
}
