/* SPDX-License-Identifier: Apache-2.0 */
/* pwhash, htpasswd_file, memo, throttle, htpasswd: passwords, and counting wrong ones. */

#include "auth/htpasswd.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/htpasswd_file.h"
#include "auth/memo.h"
#include "auth/pwhash.h"
#include "auth/throttle.h"
#include "base/mem.h"
#include "base/time.h"
#include "tap.h"

#define SECOND UINT64_C(1000000)

static void set_line(struct str *text, const char *user, enum pwhash_scheme scheme, const char *password)
{
	str_addf(text, "%s:", user);
	if (pwhash_make(scheme, password, text) < 0)
		abort();
	str_addc(text, '\n');
}

static void test_hashes(void)
{
	static const struct {
		const char *hash, *password;
	} known[] = {
		{ "$6$saltstring$2HelxQpHGIpyFNj6WCcHER/Mw/nbsL2fnXmKxbVVpO3M1yrRCm.sTvJmckYxj3CS4Se1BALtbbfC0BUa6I9EY/", "secret-x" },
		{ "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!" },
		{ "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U" },
		{ "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U" },
		{ "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U" },
	};
	static const char *const bad[] = {
		"", "secret", "x", "rl0uE8Ev8h5vM", "$apr1$lN2Z3hLk$ABCDEFGHIJKLMNOPQRSTU1", "$1$abc$ABCDEFGHIJKLMNOPQRSTU1", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
		"{PLAIN}secret", "$7$CU..../....x$y", "$gy$j9T$x$y", "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
		"$2y$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$2y$xx$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW:x", "$6$", "$y$", "$5$$", "$2", "$2y", "$2y$",
		"$5$rounds=999999999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "$5$rounds=$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
	};
	cleanup_free char *longest = xcalloc(1, 600);
	cleanup_str struct str hash = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		is_str(pwhash_fault(known[i].hash, strlen(known[i].hash)), NULL, "known hash %zu is taken", i);
		ok(pwhash_check(known[i].hash, known[i].password, strlen(known[i].password)), "known hash %zu: the password is right", i);
		ok(!pwhash_check(known[i].hash, "x", 1) && !pwhash_check(known[i].hash, "", 0), "known hash %zu: another is wrong", i);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *why = pwhash_fault(bad[i], strlen(bad[i]));

		ok(why && (strlen(bad[i]) < 3 || !strstr(why, bad[i])), "bad hash %zu is refused, and not repeated", i);
	}
	memset(longest, 'a', 599);
	for (int s = 0; s < PWHASH_SCHEMES; s++) {
		size_t most = pwhash_most((enum pwhash_scheme)s);

		if (s != PWHASH_BCRYPT && s != PWHASH_YESCRYPT)
			continue;
		str_reset(&hash);
		longest[most] = '\0';
		is_int(pwhash_make((enum pwhash_scheme)s, longest, &hash), 0, "%s: a hash is made", pwhash_scheme_name((enum pwhash_scheme)s));
		longest[most] = 'a';
		is_str(pwhash_fault(hash.buf, hash.len), NULL, "which is taken");
		is_int(pwhash_scheme(hash.buf), s, "and is of that scheme");
		ok(pwhash_check(hash.buf, longest, most), "the longest password there can be is right");
		ok(!pwhash_check(hash.buf, longest, most + 1), "with one byte more it is wrong, not cut");
		ok(!pwhash_check(hash.buf, longest, most - 1), "with one byte less it is wrong");
		ok(!pwhash_check(hash.buf, "a\0b", 3), "one with a NUL is wrong");
	}
	is_int(pwhash_cost("$2y$10$CCCC"), 7, "bcrypt's cost is its number");
	is_int(pwhash_cost("$6$rounds=9000$x$"), 14, "sha512-crypt's are its rounds");
	is_int(pwhash_cost("$6$x$"), 3, "or none are given");
	is_int(pwhash_cost("$y$j9T$x$y"), 6, "yescrypt's are its parameters");
}

static void test_file(void)
{
	static const char b5[] = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
			  s5[] = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
	cleanup_str struct str text = STR_INIT, msg = STR_INIT;
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;
	static const struct {
		const char *text, *where;
	} bad[] = {
		{ "# x\n\nalice\n", "F:3: not of the form" },
		{ "alice:secret\n", "F:1: the hash is DES crypt, or no hash at all; berth accepts" },
		{ "alice:\n", "F:1: the hash" },
		{ ":$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n", "F:1: a user name" },
		{ "@a:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n", "F:1: a user name" },
		{ "a\tb:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n", "F:1: a user name" },
		{ "a:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe\n", "F:1: the hash is malformed" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		str_reset(&msg);
		is_int(htpasswd_file_parse(&f, "F", bad[i].text, strlen(bad[i].text), NULL, &msg), -1, "bad file %zu is refused", i);
		ok(strncmp(msg.buf, bad[i].where, strlen(bad[i].where)) == 0, "bad file %zu: %s", i, bad[i].where);
		ok(!strstr(msg.buf, "secret") && !strstr(msg.buf, "$apr1$"), "nothing of the hash is said");
	}
	is_int(htpasswd_file_parse(&f, "F", "a\0b", 3, NULL, &msg), -1, "a NUL is refused");
	str_reset(&msg);
	for (int i = 0; i < 15; i++)
		str_puts(&text, "x\n");
	is_int(htpasswd_file_parse(&f, "F", text.buf, text.len, NULL, &msg), -1, "many faults are refused");
	ok(strstr(msg.buf, "F:10: ") && !strstr(msg.buf, "F:11: ") && strstr(msg.buf, "\nF: and 5 more"), "the first ten are said");
	str_reset(&text);
	str_addf(&text, "# users\r\nbob:%s\r\n\nalice:%s\ncarol:%s\n#end", s5, b5, b5);
	str_reset(&msg);
	if (is_int(htpasswd_file_parse(&f, "F", text.buf, text.len, NULL, &msg), 0, "a good file is taken")) {
		is_int(f.count, 3, "with all its users");
		is_str(htpasswd_file_find(&f, "bob")->hash, s5, "each with its hash");
		is_int(htpasswd_file_find(&f, "alice")->line, 4, "and its line");
		ok(!htpasswd_file_find(&f, "bo") && !htpasswd_file_find(&f, "") && !htpasswd_file_find(&f, "# users"), "and no others");
		is_str(f.usual, b5, "what most of them cost is known");
	}
	htpasswd_file_release(&f);
	is_int(htpasswd_file_parse(&f, "F", "", 0, NULL, &msg), 0, "an empty file is taken");
	is_str(pwhash_fault(f.usual, strlen(f.usual)), NULL, "it has a hash to be as slow by");
}

/* Nobody gets in by a line that is skipped, nor by one before it. */
static void test_skipped(void)
{
	static const char good[] = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
	static const char *const others[] = { "$apr1$lN2Z3hLk$ABCDEFGHIJKLMNOPQRSTU1", "$1$x$ABCDEFGHIJKLMNOPQRSTU1", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
					      "{SSHA512}xyz", "rl0uE8Ev8h5vM", "$argon2id$v=19$m=1$x$y", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" };
	static const char *const cut[] = { "", "$", "$a", "$apr1", "$apr1$", "$2", "$2y$", "{SHA", "rl0uE8Ev8h5v", "secret" };
	cleanup_str struct str text = STR_INIT, skipped = STR_INIT, msg = STR_INIT;
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		str_reset(&text);
		str_reset(&skipped);
		str_addf(&text, "zoe:%s\n  alice:%s\t\r\nbob:%s\nalice:%s\nbob:%s\n", good, good, good, others[i], good);
		is_int(htpasswd_file_parse(&f, "F", text.buf, text.len, &skipped, &msg), 0, "hash %zu is skipped", i);
		ok(!htpasswd_file_find(&f, "alice"), "who has it in the last line cannot log in by an earlier one");
		ok(f.count == 2 && htpasswd_file_find(&f, "bob")->line == 5 && htpasswd_file_find(&f, "zoe"), "the others can, by their last line");
		ok(strncmp(skipped.buf, "F:4: the hash is ", 17) == 0 && strstr(skipped.buf, "\nF:2: the user is in line 4 again: ") &&
		   strstr(skipped.buf, "\nF:3: the user is in line 5 again: "), "the lines are named");
		ok(!strstr(skipped.buf, others[i]) && !strstr(skipped.buf, "F:5") && !strstr(skipped.buf, "F:1:"), "and no others, and no hash");
		htpasswd_file_release(&f);
	}
	for (size_t i = 0; i < ARRAY_LEN(cut); i++)
		ok(!pwhash_is_foreign(cut[i]), "\"%s\" is no whole hash", cut[i]);
	str_reset(&text);
	str_reset(&skipped);
	for (int i = 0; i < 15; i++)
		str_puts(&text, "x:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
	is_int(htpasswd_file_parse(&f, "F", text.buf, text.len, &skipped, &msg), 0, "many skipped lines");
	ok(strstr(skipped.buf, "F:10: ") && !strstr(skipped.buf, "F:11: ") && strstr(skipped.buf, "\nF: and 5 more skipped lines"), "the first ten are said");
	ok(f.count == 0 && f.usual, "nobody is left");
}

static void test_memo(void)
{
	struct memo *m = memo_open(), *other = memo_open();
	struct memo_proof a, b;

	memo_prove(m, "alice", "hash", "secret", 6, &a);
	ok(!memo_has(m, &a, SECOND), "nothing is remembered at first");
	memo_add(m, &a, SECOND);
	ok(memo_has(m, &a, SECOND), "what was right is remembered");
	ok(memo_has(m, &a, (MEMO_SECONDS + 1) * SECOND - 1) && !memo_has(m, &a, (MEMO_SECONDS + 1) * SECOND), "for its time");
	memo_prove(m, "alice", "hash", "secret", 6, &b);
	ok(memo_has(m, &b, SECOND), "the same proves the same");
	memo_prove(m, "alice", "hash2", "secret", 6, &b);
	ok(!memo_has(m, &b, SECOND), "another hash of the same password does not");
	memo_prove(m, "alice", "hash", "Secret", 6, &b);
	ok(!memo_has(m, &b, SECOND), "nor another password");
	memo_prove(m, "alic", "ehash", "secret", 6, &b);
	ok(!memo_has(m, &b, SECOND), "nor another user");
	memo_prove(other, "alice", "hash", "secret", 6, &b);
	ok(memcmp(&a, &b, sizeof(a)) != 0, "another process proves by another key");
	for (unsigned i = 0; i < 20000; i++) {
		memo_prove(m, "u", "h", (const char *)&i, sizeof(i), &b);
		memo_add(m, &b, 2 * SECOND + i);
	}
	ok(memo_has(m, &b, 3 * SECOND) && !memo_has(m, &a, 3 * SECOND), "the oldest make room");
	memo_close(&m);
	memo_close(&other);
	ok(!m, "closing forgets the pointer");
}

static void test_throttle(void)
{
	struct throttle *t = throttle_open();
	uint64_t now = 1000 * SECOND;
	unsigned n, i;

	for (n = 0; n < 100 && throttle_wait(t, "192.0.2.1", now) == 0; n++)
		throttle_fail(t, "192.0.2.1", now);
	is_int(n, THROTTLE_BURST, "an address may be wrong so often at once");
	is_int(throttle_wait(t, "192.0.2.1", now), THROTTLE_SECONDS, "then it has to wait");
	is_int(throttle_wait(t, "192.0.2.2", now), 0, "another has not");
	is_int(throttle_wait(t, "192.0.2.1", now + SECOND), THROTTLE_SECONDS - 1, "ever less long");
	is_int(throttle_wait(t, "192.0.2.1", now + THROTTLE_SECONDS * SECOND), 0, "and then it may try again");
	throttle_fail(t, "192.0.2.1", now + THROTTLE_SECONDS * SECOND);
	ok(throttle_wait(t, "192.0.2.1", now + THROTTLE_SECONDS * SECOND) > 0, "once");
	for (i = 0; i < 1000; i++)
		throttle_fail(t, "192.0.2.1", now);
	is_int(throttle_wait(t, "192.0.2.1", now), THROTTLE_SECONDS, "the wait has an end, however often it was wrong");
	for (i = 0; i < THROTTLE_BURST; i++)
		throttle_fail(t, "2001:db8:1:2::1", now);
	ok(throttle_wait(t, "2001:db8:1:2:ffff::9", now) > 0, "IPv6 addresses of one network are one");
	is_int(throttle_wait(t, "2001:db8:1:3::1", now), 0, "those of another are another");
	for (i = 0; i < 50000; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		throttle_fail(t, address, now);
	}
	ok(throttle_wait(t, "192.0.2.1", now) > 0, "many others do not push out who was wrong often");
	if (fork() == 0) {
		for (i = 0; i < THROTTLE_BURST; i++)
			throttle_fail(t, "child", now);
		_exit(0);
	}
	wait(NULL);
	ok(throttle_wait(t, "child", now) > 0, "what one process counts, all know");
	throttle_close(&t);
	ok(!t && throttle_wait(NULL, "x", now) == 0, "without a table nobody waits");
	throttle_fail(NULL, "x", now);
}

static void write_file(const char *file, const struct str *text)
{
	FILE *f = fopen(file, "w");

	if (!f || fwrite(text->buf, 1, text->len, f) != text->len || fclose(f) != 0)
		abort();
}

static char known[HTPASSWD_USER_MAX + 1];      /* the spelling of the file */

static int check(struct htpasswd *h, const char *user, const char *password)
{
	struct err e = ERR_INIT;
	int rc;

	snprintf(known, sizeof(known), "%s", user);
	rc = htpasswd_check(h, known, password, strlen(password), &e);

	if (rc < 0)
		is_int(e.status, 503, "that it cannot be checked is 503");
	err_release(&e);
	return rc;
}

static void test_htpasswd(void)
{
	char file[] = "/tmp/berth-test-htpasswd.XXXXXX";
	cleanup_str struct str one = STR_INIT, two = STR_INIT, bad = STR_INIT;
	struct htpasswd *h;
	int fd = mkstemp(file);

	close(fd);
	set_line(&one, "alice", PWHASH_BCRYPT, "secret");
	set_line(&two, "alice", PWHASH_BCRYPT, "other!");
	str_puts(&bad, "alice:plain\n");
	write_file(file, &one);
	h = htpasswd_open(file);
	is_int(check(h, "alice", "secret"), HTPASSWD_RIGHT, "the right password");
	is_int(check(h, "alice", "secret"), HTPASSWD_RIGHT, "is right again");
	is_int(check(h, "alice", "other!"), HTPASSWD_WRONG, "a wrong one is wrong");
	is_int(check(h, "bob", "secret"), HTPASSWD_UNKNOWN_USER, "an unknown user is unknown");
	for (int i = 0; i < 4; i++) {
		const struct str *is = i % 2 ? &one : &two;

		write_file(file, is);   /* of the same size, and often within one step of the clock */
		is_int(check(h, "alice", i % 2 ? "secret" : "other!"), HTPASSWD_RIGHT, "a change counts from the next check on (%d)", i);
		is_int(check(h, "alice", i % 2 ? "other!" : "secret"), HTPASSWD_WRONG, "and what was right before is forgotten (%d)", i);
	}
	write_file(file, &bad);
	is_int(check(h, "alice", "secret"), HTPASSWD_RIGHT, "when it becomes malformed, its previous contents stay in force");
	is_int(check(h, "alice", "plain"), HTPASSWD_WRONG, "and not the new ones");
	unlink(file);
	is_int(check(h, "alice", "secret"), HTPASSWD_RIGHT, "the same when it is removed");
	htpasswd_close(&h);
	h = htpasswd_open(file);
	is_int(check(h, "alice", "secret"), -1, "a file that never was valid lets nobody in");
	write_file(file, &one);
	is_int(check(h, "alice", "secret"), HTPASSWD_RIGHT, "until it is repaired");
	unlink(file);
	htpasswd_close(&h);
}

int main(void)
{
	test_hashes();
	test_file();
	test_skipped();
	test_memo();
	test_throttle();
	test_htpasswd();
	return done_testing();
}
