/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_hook: the states of deliveries, and what waits.
 *
 * Owns no state: the relay writes the files. Knows nothing of HTTP.
 */
#include "registry/reg_hook.h"

#include <errno.h>
#include <string.h>

#include "os/segments.h"
#include "store/store_path.h"

int reg_hook_state(struct registry *r, const struct config_endpoint *ep, struct hook_state *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	int found;

	*out = (struct hook_state){ 0 };
	path_in(&path, STORE_READERS_DIR, ep->name);
	found = store_read(r->st, path.buf, HOOK_STATE_MAX, &text);
	if (found == 1 && hook_state_parse(out, text.buf, text.len) < 0) {
		errno = EUCLEAN;
		found = -1;
	}
	return found < 0 ? err_sys(e, "cannot read %s", path.buf) : found;
}

int reg_hook_waiting(struct registry *r, const struct config_endpoint *ep, const struct hook_state *s, uint64_t max, uint64_t bytes,
		     struct hook_waiting *out, struct err *e)
{
	cleanup_segment_reader struct segment_reader reader = SEGMENT_READER_INIT;
	struct position after, at;
	struct event_line ev;
	uint64_t sum = 0;
	const char *line;
	size_t len;
	int rc;

	*out = (struct hook_waiting){ 0 };
	if (position_parse(&after, s->next, strlen(s->next)) < 0)
		after = (struct position){ 0 };
	reader.dirfd = r->st->dirfd;
	reader.dir = STORE_JOURNAL_DIR;
	reader.next = after;
	while ((rc = segment_reader_next(&reader, &line, &len, &at)) == 1) {
		sum += len;
		if (out->count == max || sum > bytes) {
			out->more = true;
			return 0;
		}
		if (position_cmp(&at, &after) <= 0 || event_parse(&ev, line, len) < 0 || ev.mark == EVENT_UNDONE || !endpoint_concerns(ep, &ev))
			continue;
		if (!out->count++)
			out->since = event_time(&ev);
	}
	return rc < 0 ? err_sys(e, "cannot read the journal, %s", STORE_JOURNAL_DIR) : 0;
}
