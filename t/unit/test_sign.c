/* SPDX-License-Identifier: Apache-2.0 */
/* sign: the signature is that of the documentation; a secret's file is one line, or none at all. */

#include "relay/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static void test_header(void)
{
	cleanup_str struct str out = STR_INIT, key = STR_INIT, body = STR_INIT;

	str_puts(&key, "key");
	str_puts(&body, "{\"events\":[]}");
	sign_header(&out, &key, 1764408000, &body);
	/* printf '1764408000.{"events":[]}' | openssl dgst -sha256 -hmac key */
	is_str(out.buf, "Berth-Signature: t=1764408000,v1=5cf2b6682317ded69c5d13d4789a2befd4c1b3e622601f6bd17f246d86a32729", "a signature that openssl makes, too");
}

static void is_read(const char *path, const char *text, size_t len, const char *want, const char *title)
{
	cleanup_str struct str out = STR_SECRET, why = STR_INIT;
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0)
		abort();
	is_int(sign_read(path, &out, &why), want ? 0 : -1, "%s", title);
	is_str(out.buf, want ? want : "", "with its text, or none");
	ok(want ? !why.len : why.len && !strstr(why.buf, "secret"), "and a reason that has nothing of it");
}

int main(void)
{
	char dir[] = "/tmp/berth-unit.XXXXXX";
	cleanup_str struct str path = STR_INIT, link = STR_INIT, out = STR_SECRET, why = STR_INIT, longest = STR_INIT;

	test_header();
	if (!mkdtemp(dir))
		abort();
	str_addf(&path, "%s/key", dir);
	str_addf(&link, "%s/link", dir);
	is_read(path.buf, "secret\n", 7, "secret", "a line");
	is_read(path.buf, "secret", 6, "secret", "without its end");
	is_read(path.buf, "secret\r\n", 8, "secret", "of another system");
	is_read(path.buf, " s e c ", 7, " s e c ", "with blanks, which belong to it");
	is_read(path.buf, "", 0, NULL, "nothing is no key");
	is_read(path.buf, "\n", 1, NULL, "nor is an empty line");
	is_read(path.buf, "secret\nsecret\n", 14, NULL, "nor are two lines");
	is_read(path.buf, "secret\0secret", 13, NULL, "nor is a NUL");
	for (int i = 0; i < SIGN_FILE_MAX; i++)
		str_addc(&longest, 'x');
	is_read(path.buf, longest.buf, longest.len, longest.buf, "the longest key");
	str_addc(&longest, 'x');
	is_read(path.buf, longest.buf, longest.len, NULL, "one that is longer");
	is_read(path.buf, "secret\n", 7, "secret", "again a line");
	ok(symlink("key", link.buf) == 0 && sign_read(link.buf, &out, &why) == 0 && strcmp(out.buf, "secret") == 0, "a link to a file is followed");
	ok(sign_read(dir, &out, &why) < 0, "a directory is no key");
	ok(unlink(path.buf) == 0 && sign_read(link.buf, &out, &why) < 0 && !out.len, "and nothing is none");
	unlink(link.buf);
	rmdir(dir);
	return done_testing();
}
