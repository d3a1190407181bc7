/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_TIME_H
#define BERTH_BASE_TIME_H

/* time: instants and durations as text. */

#include <stdint.h>
#include <time.h>

#define TIME_RFC3339_MAX 32

/* time_rfc3339 - write "2026-01-02T03:04:05Z", or with milliseconds; UTC (RFC 3339); buf has TIME_RFC3339_MAX bytes */
void time_rfc3339(char *buf, const struct timespec *ts, int with_ms);

/* time_text - the same of whole seconds since the epoch: returns buf */
const char *time_text(char buf[TIME_RFC3339_MAX], int64_t seconds);

/* time_parse_rfc3339 - read such a text, in UTC, as seconds since the epoch, without the fraction; 0, or -1 if it is none */
int time_parse_rfc3339(const char *s, int64_t *seconds);

/* time_parse_duration - parse "90", "90s", "5m", "24h" or "7d" as seconds; 0, or -1 if it is invalid or overflows */
int time_parse_duration(const char *s, uint64_t *seconds);

uint64_t time_now_usec(void);   /* of the monotonic clock: for durations only */
uint64_t time_boot_usec(void);  /* the same, with the time for which the machine was suspended */

#endif
