/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: events as lines of JSON on standard error.
 *
 * Owns the level and the fixed fields of the process, and the memory of a line. Invariant: a line is valid JSON whatever a client sent. It is
 * written by one write(2) of at most PIPE_BUF bytes, so that lines of several workers do not mix. Writing a line does not
 * change errno. A line that cannot be written is lost: a registry must not stop because nobody reads its log.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"

#define NUMBERS_ROOM 512        /* bytes at the end of a line that texts leave to numbers */
#define FIELD_LEAST 40          /* ,"":-18446744073709551615.999 and }, newline */

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static enum log_level level_now = LOG_INFO;
static struct str spare = STR_INIT;     /* the memory of the last line, for the next one */
static struct str fields = STR_INIT;    /* of log_set_fields(), as JSON */
static pid_t own_pid;                   /* 0: call getpid(2) for each line */

void log_set_level(enum log_level level)
{
	level_now = level;
}

void log_set_fields(const char *text)
{
	str_reset(&fields);
	while (*text) {
		size_t name = strcspn(text, "="), len = strcspn(text, ",");

		str_addf(&fields, ",\"%.*s\":\"", (int)name, text);
		str_add_shown(&fields, text + name + 1, len - name - 1, SIZE_MAX);
		str_addc(&fields, '"');
		text += len + (text[len] == ',');
	}
}

void log_keep_pid(void)
{
	own_pid = getpid();
}

/* Whether there is room for a field with this key and a number or an empty text, and for the end of the line. */
static bool has_room(const struct str *line, const char *key)
{
	return line->len + strlen(key) + FIELD_LEAST <= LOG_LINE_MAX;
}

static void add_key(struct str *line, const char *key)
{
	str_add(line, ",\"", 2);
	str_puts(line, key);
	str_add(line, "\":", 2);
}

/* Cuts the text so that the numbers after it have room. */
static void add_text(struct str *line, const char *val, size_t len)
{
	size_t end = line->len + LOG_TEXT_MAX, most = LOG_LINE_MAX - NUMBERS_ROOM;

	if (end < most)
		most = end;
	str_addc(line, '"');
	if (str_add_shown(line, val, len, line->len <= most ? most + 1 - line->len : 0) < len)
		str_puts(line, "...");
	str_addc(line, '"');
}

static void begin(struct log_event *ev, enum log_level level, const char *event)
{
	char now[TIME_RFC3339_MAX];
	struct timespec ts;

	ev->line = spare;
	spare = (struct str)STR_INIT;
	clock_gettime(CLOCK_REALTIME, &ts);
	time_rfc3339(now, &ts, 1);
	str_addf(&ev->line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", now, level_names[level]);
	add_text(&ev->line, event, strlen(event));
	log_int(ev, "pid", own_pid ? own_pid : getpid());
	str_add(&ev->line, fields.buf, fields.len);
}

void log_begin(struct log_event *ev, enum log_level level, const char *event)
{
	ev->line = (struct str)STR_INIT;
	ev->on = level <= level_now;
	if (ev->on)
		begin(ev, level, event);
}

void log_audit(struct log_event *ev, const char *action)
{
	ev->on = true;
	begin(ev, LOG_INFO, "audit");
	log_str(ev, "action", action);
}

void log_str(struct log_event *ev, const char *key, const char *val)
{
	if (ev->on && val)
		log_strn(ev, key, val, strlen(val));
}

void log_strn(struct log_event *ev, const char *key, const char *val, size_t len)
{
	if (!ev->on || !val || !has_room(&ev->line, key))
		return;
	add_key(&ev->line, key);
	add_text(&ev->line, val, len);
}

void log_int(struct log_event *ev, const char *key, int64_t val)
{
	if (!ev->on || !has_room(&ev->line, key))
		return;
	add_key(&ev->line, key);
	if (val < 0)
		str_addc(&ev->line, '-');
	str_add_u64(&ev->line, val < 0 ? -(uint64_t)val : (uint64_t)val);
}

void log_ms(struct log_event *ev, const char *key, uint64_t usec)
{
	unsigned below = (unsigned)(usec % 1000);
	char fraction[] = { '.', (char)('0' + below / 100), (char)('0' + below / 10 % 10), (char)('0' + below % 10) };

	if (!ev->on || !has_room(&ev->line, key))
		return;
	add_key(&ev->line, key);
	str_add_u64(&ev->line, usec / 1000);
	str_add(&ev->line, fraction, sizeof(fraction));
}

void log_err(struct log_event *ev, const struct err *e)
{
	if (!ev->on)
		return;
	log_str(ev, "code", err_name(e->code));
	if (e->detail[0])
		log_str(ev, "error", e->detail);
	if (e->cause[0])
		log_str(ev, "cause", e->cause);
	if (e->sys) {
		const char *name = strerrorname_np(e->sys);

		if (name)
			log_str(ev, "errno", name);
		else
			log_int(ev, "errno", e->sys);
	}
}

void log_end(struct log_event *ev)
{
	int saved = errno;
	size_t off = 0;

	if (!ev->on)
		return;
	str_puts(&ev->line, "}\n");
	while (off < ev->line.len) {
		ssize_t n = write(STDERR_FILENO, ev->line.buf + off, ev->line.len - off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		off += (size_t)n;
	}
	ev->on = false;
	str_release(&spare);            /* not empty if another line was begun and ended in the middle of this one */
	spare = ev->line;
	str_reset(&spare);
	ev->line = (struct str)STR_INIT;
	errno = saved;
}

void log_say(enum log_level level, const char *event, const char *fmt, ...)
{
	struct log_event ev;
	int saved = errno;

	log_begin(&ev, level, event);
	if (ev.on) {
		cleanup_free char *text = NULL;
		va_list ap;

		errno = saved;          /* for %m */
		va_start(ap, fmt);
		if (vasprintf(&text, fmt, ap) < 0)
			text = NULL;
		va_end(ap);
		log_str(&ev, "message", text);
	}
	log_end(&ev);
	errno = saved;
}

void log_each(enum log_level level, const char *event, const char *lines)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		log_say(level, event, "%.*s", (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}
