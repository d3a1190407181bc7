/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations: a file, and after a line "%env" one variable a line. Sizes alone, too. */

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/config.h"
#include "conf/key.h"

#define LINES_MAX 16
#define SEPARATOR "\n%env\n"
#define LISTS "\nauth.groups = "

/* libconfig leaks the text of a string without a closing quote, once for each such file: at most the size of the file. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

static void check_size(const char *text)
{
	cleanup_str struct str again = STR_INIT;
	uint64_t n = 7, m;

	if (config_parse_size(text, &n) < 0) {
		CHECK(n == 0);
		return;
	}
	CHECK(n <= INT64_MAX && *text >= '0' && *text <= '9');
	str_addf(&again, "%llu B", (unsigned long long)n);
	CHECK(config_parse_size(again.buf, &m) == 0 && m == n);
	if (n % 1024 || n > INT64_MAX / 1024)
		return;
	str_reset(&again);
	str_addf(&again, "%lluKiB", (unsigned long long)n / 1024);
	CHECK(config_parse_size(again.buf, &m) == 0 && m == n);
}

/* A file in memory; *path is its name. */
static int file_of(const void *data, size_t len, struct str *path)
{
	int fd = memfd_create("berth.conf", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	str_addf(path, "/proc/self/fd/%d", fd);
	return fd;
}

/* A list, as it is shown, is one that a file may have, and it is shown as it was. name: "\nNAME = " */
static void check_list(const struct str *shown, const char *name)
{
	cleanup_str struct str text = STR_INIT, path = STR_INIT, again = STR_INIT, msg = STR_INIT;
	cleanup_config struct config *c = NULL;
	static char *none[] = { NULL };
	const char *list = strstr(shown->buf, name), *end;
	int fd;

	CHECK(list);
	list += strlen(name);
	end = strchr(list, '\n');
	CHECK(end);
	if (*list == '\n')
		return;
	str_addf(&text, "%s%.*s;", name, (int)(end - list), list);
	fd = file_of(text.buf, text.len, &path);
	c = config_load(path.buf, none, NULL, &msg);
	CHECK(c && config_journal_on(c) >= (c->nendpoints > 0));
	config_show(c, &again);
	CHECK(strncmp(strstr(again.buf, name) + strlen(name), list, (size_t)(end + 1 - list)) == 0);
	close(fd);
}

/* Each value is valid, and its printed form sets it again. */
static void check_config(struct config *c)
{
	static char *none[] = { NULL };
	cleanup_str struct str shown = STR_INIT, again = STR_INIT, value = STR_INIT, msg = STR_INIT;
	cleanup_config struct config *other = config_load("/dev/null", none, NULL, &msg);
	size_t i;

	CHECK(other && c->root[0] == '/' && !fuzz_has_control(c->root, strlen(c->root)));
	CHECK(c->workers <= 1024 && c->write_workers <= 1024 && c->upload_workers <= 1024 && c->sparse <= SPARSE_ALL && c->log_level <= LOG_DEBUG);
	CHECK(config_workers(c) >= 1 && config_workers(c) <= 1024 && config_upload_workers(c) >= 1);
	CHECK(c->max_manifest >= 1024 && c->max_manifest <= 64 << 20 && c->max_blob <= INT64_MAX);
	for (i = 0; i < key_count; i++) {
		str_reset(&value);
		key_get(c, &key_table[i], &value);
		CHECK(key_set_text(other, &key_table[i], value.buf) == 0);
	}
	config_show(c, &shown);
	check_list(&shown, "\nnotifications = ");
	check_list(&shown, "\nrules = ");
	config_show(other, &again);
	str_cut(&shown, (size_t)(strstr(shown.buf, LISTS) - shown.buf));
	str_cut(&again, (size_t)(strstr(again.buf, LISTS) - again.buf));
	CHECK(strcmp(shown.buf, again.buf) == 0);
}

/* One line for each fault, with a file and a line, or a variable. */
static void check_message(const struct str *msg, const char *file)
{
	const char *line = msg->buf, *end;

	CHECK(msg->len && strlen(msg->buf) == msg->len);
	for (; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		CHECK(strncmp(line, file, strlen(file)) == 0 || strncmp(line, "REGISTRY_", 9) == 0);
		CHECK(strchr(line, ':') && (!end || strchr(line, ':') < end));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_str struct str msg = STR_INIT, warn = STR_INIT, file = STR_INIT;
	cleanup_config struct config *c = NULL;
	const uint8_t *env = size ? memmem(data, size, SEPARATOR, strlen(SEPARATOR)) : NULL;
	size_t len = env ? (size_t)(env - data) + 1 : size, skip = env ? len - 1 + strlen(SEPARATOR) : size;
	char *lines[LINES_MAX + 1], *text;
	int fd;

	if (size > 65536)
		return 0;
	text = xstrndup(size ? (const char *)data : "", size);
	check_size(text);
	free(text);
	fd = file_of(data, len, &file);
	fuzz_lines(data + skip, size - skip, lines, LINES_MAX);
	c = config_load(file.buf, lines, &warn, &msg);
	if (c)
		check_config(c);
	else
		check_message(&msg, file.buf);
	fuzz_lines_release(lines);
	close(fd);
	return 0;
}
