/* SPDX-License-Identifier: Apache-2.0 */
/* fsck: its pure parts: the words of the kinds, and names in its output. */

#include "care/fsck.h"

#include <string.h>

#include "tap.h"

static void test_kinds(void)
{
	int i, j, same = 0, unnamed = 0;

	for (i = 0; i < FSCK_KINDS; i++) {
		if (!fsck_kind_name((enum fsck_kind)i)) {
			unnamed++;
			continue;
		}
		for (j = 0; j < i; j++)
			same += strcmp(fsck_kind_name((enum fsck_kind)i), fsck_kind_name((enum fsck_kind)j)) == 0;
	}
	ok(unnamed == 0 && same == 0, "every kind has a name of its own");
}

static void test_text(void)
{
	cleanup_str struct str out = STR_INIT;

	fsck_add_text(&out, "a b/\xc3\xa4");
	is_str(out.buf, "a b/\xc3\xa4", "a name stays as it is");
	str_reset(&out);
	fsck_add_text(&out, "a\nb\\c\x1b[0m\x7f");
	is_str(out.buf, "a\\x0ab\\x5cc\\x1b[0m\\x7f", "but for what would break a line or command a terminal");
}

int main(void)
{
	test_kinds();
	test_text();
	return done_testing();
}
