/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins: the first line is an Authorization header, the second a REMOTE_USER, what follows a password file. The
 * registry that is asked has one user, "u" with the password "p".
 */

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/htpasswd_file.h"
#include "auth/pwhash.h"
#include "base/b64.h"
#include "base/mem.h"

#define USERS "u:$2y$04$abcdefghijklmnopqrstu.a4xUvIyJmsKYY6H9qBdKI1ytIPLMWNy\n"

/* A file in memory that has a path. */
static char *memory_file(const char *text)
{
	cleanup_str struct str path = STR_INIT;
	int fd = memfd_create("berth", 0);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	str_addf(&path, "/proc/self/fd/%d", fd);
	return xstrdup(path.buf);
}

static struct auth *registry(bool remote_user)
{
	static char *none[] = { NULL };
	static struct config *c;
	static struct auth *auths[2];
	cleanup_str struct str text = STR_INIT, msg = STR_INIT;
	cleanup_free char *file = NULL;

	if (auths[remote_user])
		return auths[remote_user];
	file = memory_file(USERS);
	str_addf(&text, "auth = { htpasswd = \"%s\"; remote_user = %s; };", file, remote_user ? "true" : "false");
	free(file);
	file = memory_file(text.buf);
	c = config_load(file, none, NULL, &msg);
	CHECK(c && auth_check_config(c, NULL, &msg) == 0);
	return auths[remote_user] = auth_open(c, NULL, NULL);
}

/* Whether a header is the one valid login, by comparing with each form of it. */
static bool is_good(const char *header)
{
	size_t spaces;

	if (strncasecmp(header, "basic ", 6) != 0)
		return false;
	header += 6;
	spaces = strspn(header, " ");
	return strcmp(header + spaces, "dTpw") == 0;
}

static void check_login(const char *header, const char *remote_user)
{
	struct credentials c = { .authorization = header, .remote = "192.0.2.1", .remote_user = remote_user };
	struct identity good = IDENTITY_INIT;
	unsigned wait = 7;

	for (int remote = 0; remote < 2; remote++) {
		struct identity id = IDENTITY_INIT;
		cleanup_err struct err e = ERR_INIT;
		int rc = auth_identify(registry(remote), &c, &id, &wait, &e);

		CHECK(wait == 0);
		CHECK(rc == 0 || (fuzz_is_error(&e, ERR_UNAUTHORIZED, 401) && id.kind == IDENTITY_NOBODY && id.refused));
		CHECK(memchr(id.user, '\0', sizeof(id.user)));
		if (rc < 0 || id.kind == IDENTITY_NOBODY)
			continue;
		CHECK(htpasswd_user_ok(id.user, strlen(id.user)));
		if (remote && remote_user && *remote_user)
			CHECK(strcmp(id.user, remote_user) == 0);
		else
			CHECK(is_good(header) && strcmp(id.user, "u") == 0);
	}
	CHECK(!is_good(header) || (c.remote_user = NULL, auth_identify(registry(true), &c, &good, &wait, NULL) == 0 && good.kind == IDENTITY_USER));
}

static void check_file(const char *text, size_t len)
{
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;
	cleanup_str struct str skipped = STR_INIT, msg = STR_INIT;

	if (htpasswd_file_parse(&f, "FILE", text, len, &skipped, &msg) < 0) {
		CHECK(f.count == 0 && !f.text && strncmp(msg.buf, "FILE:", 5) == 0);
		return;
	}
	CHECK(!msg.len && f.usual && !pwhash_fault(f.usual, strlen(f.usual)));
	for (size_t i = 0; i < f.count; i++) {
		CHECK(htpasswd_user_ok(f.v[i].user, strlen(f.v[i].user)) && !pwhash_fault(f.v[i].hash, strlen(f.v[i].hash)));
		CHECK(pwhash_scheme(f.v[i].hash) < PWHASH_SCHEMES && pwhash_cost(f.v[i].hash) < strlen(f.v[i].hash));
		CHECK(i == 0 || strcmp(f.v[i - 1].user, f.v[i].user) < 0);
		CHECK(htpasswd_file_find(&f, f.v[i].user) == &f.v[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[3];
	size_t n, skip = 0;

	if (size > 65536)
		return 0;
	n = fuzz_lines(data, size, lines, 2);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *nl = memchr(data + skip, '\n', size - skip);

		skip = nl ? (size_t)(nl - data) + 1 : size;
	}
	if (n > 0)
		check_login(lines[0], lines[1]);
	check_file((const char *)data + skip, size - skip);
	fuzz_lines_release(lines);
	return 0;
}
