/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

/*
 * log: one event, one line, one JSON object, one write(2), to standard error.
 *
 * {"time":"2026-01-02T03:04:05.678Z","level":"info","event":"request","pid":12,...}: these fields first, then those of
 * log_set_fields(), then those of the caller. Text is escaped, ill-formed UTF-8 is replaced, and text longer than LOG_TEXT_MAX
 * bytes, or than the rest of the line, is cut and ends with "...". Callers never pass a secret; the module cannot recognise one.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

#define LOG_TEXT_MAX 512
#define LOG_LINE_MAX PIPE_BUF   /* with the newline: a pipe writes it in one piece, so that lines of several processes do not mix */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);

/*
 * log_set_fields - fields that each line gets
 * text  "name=value,name=value"; names need no escape in JSON; copied
 */
void log_set_fields(const char *text);

/* log_keep_pid - remember the pid of this process, which saves a system call for each line; children of it must not log */
void log_keep_pid(void);

/* An event under construction: begin, any number of fields, end. If the level excludes it, these functions do nothing. */
struct log_event {
	struct str line;
	bool on;
};

/* log_audit - begin an event "audit" of this action, at level info; it is written whatever the level is */
void log_audit(struct log_event *ev, const char *action);
void log_begin(struct log_event *ev, enum log_level level, const char *event);
void log_str(struct log_event *ev, const char *key, const char *val);           /* val NULL: adds no field */
void log_strn(struct log_event *ev, const char *key, const char *val, size_t len);
void log_int(struct log_event *ev, const char *key, int64_t val);
void log_ms(struct log_event *ev, const char *key, uint64_t usec);               /* milliseconds with three decimals */
void log_err(struct log_event *ev, const struct err *e);        /* "code", "error" (detail), "cause", "errno" by name */
void log_end(struct log_event *ev);                             /* writes the line; releases ev */

/* log_say - an event with one "message" field */
void log_say(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* log_each - such an event for each line of the text */
void log_each(enum log_level level, const char *event, const char *lines);

#endif
