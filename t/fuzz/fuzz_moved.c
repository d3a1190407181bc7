/* SPDX-License-Identifier: Apache-2.0 */
/* A config.yml of registry:2, and after a line "%env" one variable a line. */

#include "fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/config.h"
#include "conf/key.h"
#include "conf/node.h"
#include "conf/yaml.h"

#define LINES_MAX 16
#define SEPARATOR "\n%env\n"

/* How many nodes, and that no bound is exceeded. */
static size_t count(const struct node *n, unsigned depth)
{
	size_t sum = 1;

	CHECK(depth <= NODE_DEPTH_MAX && n->line);
	CHECK((n->kind == NODE_TEXT) == (n->text != NULL));
	CHECK(n->kind == NODE_MAP || n->kind == NODE_LIST || !n->child);
	for (const struct node *child = n->child; child; child = child->next) {
		CHECK((n->kind == NODE_MAP) == (child->name != NULL));
		for (const struct node *other = child->next; n->kind == NODE_MAP && sum < 64 && other; other = other->next)
			CHECK(strcmp(child->name, other->name) != 0);
		sum += count(child, depth + 1);
	}
	return sum;
}

static void check_tree(const uint8_t *data, size_t size)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_node struct node *n = NULL, *copy = NULL;
	const char *why;
	unsigned line;

	str_add(&text, size ? (const char *)data : "", size);
	if (yaml_read(&text, "F", true, &n, &line, &why) < 0) {
		CHECK(!n && why && *why && line);
		return;
	}
	if (!n)
		return;
	CHECK(count(n, 0) <= NODE_COUNT_MAX);
	copy = node_copy(n);
	CHECK(count(copy, 0) == count(n, 0));
}

/* "none", alone */
static bool is_none(const struct node *auth)
{
	if (auth->kind == NODE_TEXT)
		return strcmp(auth->text, "none") == 0;
	return auth->kind == NODE_MAP && auth->child && !auth->child->next && strcmp(auth->child->name, "none") == 0;
}

/* What the file closes is closed: whatever else it says. */
static void check_closed(const struct config *c, const uint8_t *data, size_t size)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_node struct node *n = NULL;
	const struct node *auth, *certificate;
	const char *why;
	unsigned line;

	str_add(&text, size ? (const char *)data : "", size);
	if (yaml_read(&text, "F", true, &n, &line, &why) < 0 || !n)
		return;
	auth = node_member(n, "auth");
	CHECK(!auth || auth->kind == NODE_NULL || c->auth.on || is_none(auth));
	certificate = node_at(n, "http.tls.certificate");
	CHECK(!certificate || !node_is_set(certificate) || (c->tls.certificate[0] && c->tls.key[0]));
	CHECK(!node_at(n, "storage.s3") && !node_at(n, "auth.silly"));
}

/* One line for each fault, with a place. */
static void check_message(const struct str *msg, const char *file)
{
	const char *line = msg->buf, *end;

	CHECK(msg->len && strlen(msg->buf) == msg->len);
	for (; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		CHECK(strncmp(line, file, strlen(file)) == 0 || strncmp(line, "REGISTRY_", 9) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_str struct str msg = STR_INIT, warn = STR_INIT, file = STR_INIT, shown = STR_INIT;
	cleanup_config struct config *c = NULL;
	const uint8_t *env = size ? memmem(data, size, SEPARATOR, strlen(SEPARATOR)) : NULL;
	size_t len = env ? (size_t)(env - data) + 1 : size, skip = env ? len - 1 + strlen(SEPARATOR) : size;
	char *lines[LINES_MAX + 1], dir[] = "/tmp/berth-fuzz.XXXXXX";
	int fd;

	if (size > 65536)
		return 0;
	check_tree(data, len);
	/* The name decides that it is YAML. */
	CHECK(mkdtemp(dir));
	str_addf(&file, "%s/config.yml", dir);
	fd = memfd_create("config.yml", MFD_CLOEXEC);
	CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	str_addf(&shown, "/proc/self/fd/%d", fd);
	CHECK(symlink(shown.buf, file.buf) == 0);
	fuzz_lines(data + skip, size - skip, lines, LINES_MAX);
	c = config_load(file.buf, lines, &warn, &msg);
	if (!c) {
		check_message(&msg, file.buf);
	} else if (!lines[0]) {
		check_closed(c, data, len);
	}
	if (c) {
		str_reset(&shown);
		config_origins(c, &shown);
	}
	fuzz_lines_release(lines);
	unlink(file.buf);
	rmdir(dir);
	close(fd);
	return 0;
}
