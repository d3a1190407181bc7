/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

/*
 * log: one event, one line, one JSON object, one write(2), to standard error.
 *
 * {"time":"2026-01-02T03:04:05.678Z","level":"info","event":"request","pid":12,...}: first these, then the fields that
 * the caller added. Text from a client is escaped, ill-formed UTF-8 replaced, and then cut at LOG_TEXT_MAX bytes, or where the
 * line has become long, with "..." behind it. Callers never pass a secret; the module has no way to recognise one.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

#define LOG_TEXT_MAX 512
#define LOG_LINE_MAX PIPE_BUF   /* with the newline: what a pipe takes in one piece, so that lines of several processes do not mix */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

int log_level_parse(const char *s, enum log_level *out);        /* "error" "warn" "info" "debug"; 0 or -1 */
void log_set_level(enum log_level level);

/* log_keep_pid - this process' lines bear its pid without asking the kernel for each; no child of it may log */
void log_keep_pid(void);
bool log_on(enum log_level level);

/* An event under construction: begin, any number of fields, end. Below the level all of it does nothing. */
struct log_event {
	struct str line;
	bool on;
};

/* log_audit - begin an event "audit" of this action: at info, but no level leaves it out */
void log_audit(struct log_event *ev, const char *action);
void log_begin(struct log_event *ev, enum log_level level, const char *event);
void log_str(struct log_event *ev, const char *key, const char *val);           /* NULL val: no field */
void log_strn(struct log_event *ev, const char *key, const char *val, size_t len);
void log_int(struct log_event *ev, const char *key, int64_t val);
void log_ms(struct log_event *ev, const char *key, uint64_t usec);               /* milliseconds with three decimals */
void log_err(struct log_event *ev, const struct err *e);        /* "code", "error" (detail), "cause", "errno" by name */
void log_end(struct log_event *ev);                             /* writes the line; releases ev */

/* log_say - an event with one "message" field */
void log_say(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
