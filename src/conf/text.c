/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text: a configuration file as text.
 *
 * Owns the reading of the file, so that every failure has a reason, and a coarse scan: it distinguishes strings, comments
 * and words. The grammar is libconfig's.
 */

#include "conf/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "os/file.h"

/* The number of digits that always fit the type: 32 bits, or 64 with the suffix L. */
#define INT_DIGITS(hex) ((hex) ? 7 : 9)
#define INT64_DIGITS(hex) ((hex) ? 15 : 18)

/* read_all - read to the end; 0, or -1 with errno */
static int read_all(int fd, struct str *text)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	/* A FIFO that nobody writes to would look like a file without settings. */
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : ESPIPE;
		return -1;
	}
	if (os_read_str(fd, TEXT_MAX + 1, text) < 0)
		return -1;
	errno = EFBIG;
	return text->len > TEXT_MAX ? -1 : 0;
}

int text_read(const char *file, bool optional, struct str *text, struct str *why)
{
	cleanup_fd int fd = os_open(AT_FDCWD, file, O_RDONLY | O_NONBLOCK, 0);

	str_reset(text);
	if (fd < 0 && optional && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (read_all(fd, text) == 0)
		return 1;
	str_addf(why, "cannot read: %s", errno == ESPIPE ? "not a file" : strerror(errno));
	return -1;
}

/* skip_string - from the opening quote to after the closing one; NULL if there is none */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : NULL;
}

/* skip_comment - to after the comment at p; p if there is none */
static const char *skip_comment(const char *p, const char *end)
{
	const char *close;

	if (*p == '#' || strncmp(p, "//", 2) == 0) {
		close = memchr(p, '\n', (size_t)(end - p));
		return close ? close : end;
	}
	if (strncmp(p, "/*", 2) == 0) {
		close = strstr(p + 2, "*/");
		return close ? close + 2 : end;
	}
	return p;
}

/* skip_word - to after a name or number; *big: it is a number that would overflow in libconfig */
static const char *skip_word(const char *p, bool *big)
{
	const char *word;
	size_t digits;
	bool hex;

	if (*p == '-')
		p++;
	word = p;
	while (isalnum((unsigned char)*p) || (*p != '\0' && strchr("_.*-", *p)))
		p++;
	*big = false;
	if (!isdigit((unsigned char)*word))
		return p;
	hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	word += hex ? 2 : strspn(word, "0");
	digits = hex ? strspn(word, "0123456789abcdefABCDEF") : strspn(word, "0123456789");
	if (word[digits] != '\0' && strchr(".eE", word[digits]))
		return p;       /* a float: wrong for every key, which its type in libconfig will show */
	*big = digits > (size_t)(word[digits] == 'L' ? INT64_DIGITS(hex) : INT_DIGITS(hex));
	return p;
}

/* at_include - whether p is at an include directive, which libconfig knows only at the start of a line */
static bool at_include(const char *text, const char *p)
{
	if (strncmp(p, "@include", strlen("@include")) != 0)
		return false;
	while (p > text && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == text || p[-1] == '\n';
}

/* next - to after one string, comment, word or other character; *why is set if it is refused */
static const char *next(const struct str *text, const char *p, const char **why)
{
	const char *end = text->buf + text->len, *after;
	bool big = false;

	if (at_include(text->buf, p)) {
		*why = "@include is not supported; put every setting into this file";
		return p;
	}
	if (*p == '"') {
		after = skip_string(p, end);
		if (!after)
			*why = "a string without a closing quote";       /* libconfig would report it too, and leak memory */
		return after ? after : p;
	}
	after = skip_comment(p, end);
	if (after > p)
		return after;
	after = skip_word(p, &big);
	if (big)
		*why = "the number is too big; write sizes in quotes, such as \"10 GiB\"";
	return after > p ? after : p + 1;
}

int text_check(const struct str *text, unsigned *line, const char **why)
{
	const char *p = text->buf, *end = text->buf + text->len, *nul = memchr(p, '\0', text->len);

	*why = NULL;
	*line = 0;
	if (nul) {      /* in a string too */
		p = nul;
		*why = "a NUL byte";
	}
	while (!*why && p < end) {
		const char *after = next(text, p, why);

		if (!*why)
			p = after;
	}
	if (!*why)
		return 0;
	*line = 1;
	for (const char *q = text->buf; q < p; q++)
		*line += *q == '\n';
	return -1;
}

struct str *fault(struct faults *f, unsigned line)
{
	str_addf(f->msg, "%s%s:%u: ", f->msg->len ? "\n" : "", f->file, line);
	f->rc = -1;
	return f->msg;
}
