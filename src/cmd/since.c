/* SPDX-License-Identifier: Apache-2.0 */
/*
 * since: from the text of --since to a place in the journal. Owns nothing.
 */
#include "cmd/since.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "store/store_path.h"

int since_parse(struct since *s, const char *text)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ" };
	struct timespec when = { 0 };
	uint64_t seconds;

	*s = (struct since){ 0 };
	if (position_parse(&s->after, text, strlen(text)) == 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &when);
	if (time_parse_duration(text, &seconds) == 0) {
		when.tv_sec = seconds < (uint64_t)when.tv_sec ? when.tv_sec - (time_t)seconds : 0;
	} else {
		const char *end = NULL;
		struct tm tm;

		for (size_t i = 0; i < ARRAY_LEN(forms) && (!end || *end); i++) {
			memset(&tm, 0, sizeof(tm));
			end = strptime(text, forms[i], &tm);
		}
		if (!end || *end)
			return -1;
		when = (struct timespec){ .tv_sec = timegm(&tm) };
	}
	time_rfc3339(s->time, &when, 1);
	s->usec = (uint64_t)when.tv_sec * 1000000 + (uint64_t)when.tv_nsec / 1000;
	return 0;
}

int since_find(const struct since *s, struct store *st, struct position *out, struct err *e)
{
	cleanup_segment_list struct segment_list l = { 0 };

	*out = s->after;
	if (!s->time[0])
		return 0;
	if (segments_list(st->dirfd, STORE_JOURNAL_DIR, &l) < 0)
		return err_sys(e, "cannot read the journal, %s", STORE_JOURNAL_DIR);
	/* A segment has the time of its beginning as its number. */
	for (size_t i = 0; i < l.count && l.v[i] <= s->usec; i++)
		out->segment = l.v[i];
	return 0;
}
