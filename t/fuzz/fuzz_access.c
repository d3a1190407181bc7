/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of rules: the first line is a pattern, each further line a repository's name. The result is compared with an exhaustive matcher. */

#include "fuzz.h"

#include "base/mem.h"
#include "base/pattern.h"
#include "base/ref.h"

#define LINES_MAX 16
#define STEPS_MAX 200000        /* exhaustive matching may take too long: then nothing is compared */

static unsigned steps;

/* Match one component, character by character. */
static bool component(const char *p, size_t plen, const char *s, size_t len)
{
	if (++steps > STEPS_MAX)
		return false;
	if (!plen)
		return !len;
	if (*p == '*')
		return component(p + 1, plen - 1, s, len) || (len && component(p, plen, s + 1, len - 1));
	return len && *p == *s && component(p + 1, plen - 1, s + 1, len - 1);
}

/* Match components; NULL follows the last. */
static bool components(const char *p, const char *s)
{
	const char *pnext = p ? strchrnul(p, '/') : NULL, *snext = s ? strchrnul(s, '/') : NULL;
	const char *prest = pnext && *pnext ? pnext + 1 : NULL, *srest = snext && *snext ? snext + 1 : NULL;

	if (++steps > STEPS_MAX)
		return false;
	if (!p)
		return !s;
	if (strncmp(p, "**", 2) == 0 && pnext == p + 2) {
		if (!prest)
			return s != NULL;
		return components(prest, s) || (s && components(p, srest));
	}
	return s && component(p, (size_t)(pnext - p), s, (size_t)(snext - s)) && components(prest, srest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[LINES_MAX + 1];
	const char *why;
	struct name n;

	if (size > 4096 || !fuzz_lines(data, size, lines, LINES_MAX))
		return 0;
	why = pattern_fault(lines[0]);
	CHECK(why || (*lines[0] && strlen(lines[0]) <= NAME_MAX_LEN && !fuzz_has_control(lines[0], strlen(lines[0]))));
	CHECK(!pattern_is_all(lines[0]) || !why);
	for (char **name = lines + 1; !why && *name; name++) {
		bool means, all;

		if (name_parse(&n, *name, strlen(*name)) < 0)
			continue;
		means = pattern_match(lines[0], n.s, n.len);
		steps = 0;
		all = components(lines[0], n.s);
		CHECK(steps > STEPS_MAX || means == all);
		CHECK(!pattern_is_all(lines[0]) || means);
	}
	/* a name is a pattern that matches itself */
	if (name_parse(&n, lines[0], strlen(lines[0])) == 0)
		CHECK(!why && pattern_match(lines[0], n.s, n.len));
	fuzz_lines_release(lines);
	return 0;
}
