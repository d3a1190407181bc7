/* SPDX-License-Identifier: Apache-2.0 */
/* conf/ecr: all tags that some patterns do not match, as patterns. */

#include "conf/ecr.h"

#include "base/glob.h"
#include "base/mem.h"
#include "os/dir.h"
#include "random.h"
#include "tap.h"

static void random_text(char *out, unsigned least, unsigned max)
{
	unsigned len = least + below(max - least + 1);

	for (unsigned i = 0; i < len; i++)
		out[i] = "ab-."[below(4)];
	out[len] = '\0';
}

static unsigned matching(const struct names *patterns, const char *text)
{
	unsigned n = 0;

	for (size_t i = 0; i < patterns->count; i++)
		n += glob_match(patterns->v[i], text);
	return n;
}

static void test_known(void)
{
	static const char *const want[] = { "[!p]*", "p", "p[!r]*" };
	cleanup_names struct names of = NAMES_INIT, out = NAMES_INIT;

	names_add(&of, "pr*", 3);
	is_int(ecr_others(&of, 64, &out), 0, "others than pr* are patterns");
	is_int(out.count, ARRAY_LEN(want), "as many as are needed");
	for (size_t i = 0; i < ARRAY_LEN(want) && i < out.count; i++)
		is_str(out.v[i], want[i], "%s", want[i]);
	is_int(ecr_others(&of, 2, &out), -1, "if there may not be so many, there are none");
	is_int(out.count, ARRAY_LEN(want), "and nothing is added");
	names_add(&of, "a*b", 3);
	is_int(ecr_others(&of, 64, &out), -1, "nor if one has a star in the middle");
}

static void test_all(void)
{
	cleanup_names struct names of = NAMES_INIT, out = NAMES_INIT;

	names_add(&of, "*", 1);
	names_add(&of, "v*", 2);
	is_int(ecr_others(&of, 64, &out), 0, "others than all are patterns");
	is_int(out.count, 0, "of which there are none");
}

/* Each tag is matched by the patterns or by one of the others, and never by both. */
static void test_random(void)
{
	unsigned wrong = 0, others = 0, selected = 0;

	for (unsigned round = 0; round < 3000; round++) {
		cleanup_names struct names of = NAMES_INIT, out = NAMES_INIT;
		char text[12];

		for (unsigned n = 1 + below(4); n; n--) {
			random_text(text, 1, 4);
			if (below(3))
				strcat(text, "*");
			names_add(&of, text, strlen(text));
		}
		if (ecr_others(&of, 200, &out) < 0)
			wrong++;
		for (size_t i = 0; i < out.count; i++)
			wrong += glob_fault(out.v[i]) != NULL;
		for (unsigned i = 0; i < 60; i++) {
			random_text(text, 1, 7);
			others += matching(&out, text) == 1;
			selected += matching(&of, text) > 0;
			wrong += (matching(&of, text) > 0) == (matching(&out, text) > 0) || matching(&out, text) > 1;
		}
	}
	is_int(wrong, 0, "each tag is matched by the patterns, or by exactly one of the others");
	ok(others > 1000 && selected > 1000, "%u by others, %u by the patterns", others, selected);
}

int main(void)
{
	test_known();
	test_all();
	test_random();
	return done_testing();
}
