/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists: texts, lists of texts and members of groups in the configuration file.
 *
 * Owns nothing. Knows no setting.
 */
#include "conf/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "base/time.h"

const char *lists_text(const config_setting_t *s, const char *label, struct faults *f)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return config_setting_get_string(s);
	str_addf(fault(f, config_setting_source_line(s)), "\"%s\" must be a text in quotes", label);
	return NULL;
}

void lists_texts(struct names *out, const config_setting_t *s, const char *label, bool (*ok)(const char *), const char *what, struct faults *f)
{
	int count = config_setting_length(s);

	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		str_addf(fault(f, config_setting_source_line(s)), "\"%s\" must be a list: %s = [ \"...\" ]", label,
			 config_setting_name(s));
		return;
	}
	for (int i = 0; i < count; i++) {
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
		const char *text = config_setting_type(one) == CONFIG_TYPE_STRING ? config_setting_get_string(one) : NULL;

		if (text && ok(text))
			names_add(out, text, strlen(text));
		else
			str_addf(fault(f, config_setting_source_line(one)), "\"%s\" must hold %s", label, what);
	}
}

void lists_unknown(const config_setting_t *s, const char *label, const char *members, struct faults *f)
{
	str_addf(fault(f, config_setting_source_line(s)), "unknown setting \"%s.%s\"; there are %s", label,
		 config_setting_name(s), members);
}

static void *member_at(void *group, const struct list_member *m)
{
	return (char *)group + m->off;
}

static void read_text(char **at, const struct list_member *m, const config_setting_t *s, const char *label, struct faults *f)
{
	const char *text = config_setting_type(s) == CONFIG_TYPE_STRING ? config_setting_get_string(s) : NULL;

	if (!text || !m->ok(text)) {
		str_addf(fault(f, config_setting_source_line(s)), "\"%s\" must be %s", label, m->wants);
		return;
	}
	free(*at);
	*at = xstrdup(text);
}

static void read_duration(uint64_t *at, const struct list_member *m, const config_setting_t *s, const char *label, struct faults *f)
{
	const char *text = config_setting_type(s) == CONFIG_TYPE_STRING ? config_setting_get_string(s) : NULL;
	uint64_t n;

	if (text && time_parse_duration(text, &n) == 0 && n >= m->min && n <= m->max)
		*at = n;
	else
		str_addf(fault(f, config_setting_source_line(s)), "\"%s\" must be %s", label, m->wants);
}

static void read_bool(bool *at, const config_setting_t *s, const char *label, struct faults *f)
{
	if (config_setting_type(s) == CONFIG_TYPE_BOOL)
		*at = config_setting_get_bool(s);
	else
		str_addf(fault(f, config_setting_source_line(s)), "\"%s\" must be true or false", label);
}

/* A fault: the group has no such member. */
static void no_member(const struct list_member *members, size_t count, const char *list, const config_setting_t *s, struct faults *f)
{
	cleanup_str struct str names = STR_INIT;

	for (size_t i = 0; i < count; i++)
		str_addf(&names, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", members[i].name);
	lists_unknown(s, list, names.buf, f);
}

void lists_member(void *group, const struct list_member *members, size_t count, const char *list, const config_setting_t *s, struct faults *f)
{
	cleanup_str struct str label = STR_INIT;
	const struct list_member *m;

	for (m = members; m < members + count && strcmp(m->name, config_setting_name(s)) != 0; m++)
		;
	if (m == members + count) {
		no_member(members, count, list, s, f);
		return;
	}
	str_addf(&label, "%s.%s", list, m->name);
	switch (m->kind) {
	case LIST_TEXT:
		read_text(member_at(group, m), m, s, label.buf, f);
		break;
	case LIST_TEXTS:
		lists_texts(member_at(group, m), s, label.buf, m->ok, m->wants, f);
		break;
	case LIST_DURATION:
		read_duration(member_at(group, m), m, s, label.buf, f);
		break;
	case LIST_BOOL:
		read_bool(member_at(group, m), s, label.buf, f);
		break;
	case LIST_OTHER:
		m->read(group, s, f);
		break;
	}
}

bool lists_path_ok(const char *s)
{
	if (s[0] != '/')
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

bool lists_file_ok(const char *s)
{
	return !*s || lists_path_ok(s);
}

bool lists_pattern_ok(const char *s)
{
	return !pattern_fault(s);
}

bool lists_host_ok(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 255 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.:-[]") == len;
}

int lists_check_file(const char *where, const char *label, const char *file, struct str *msg)
{
	struct stat sb;

	if (!file || !*file)
		return 0;
	if (access(file, R_OK) == 0 && stat(file, &sb) == 0) {
		if (!S_ISDIR(sb.st_mode))
			return 0;
		errno = EISDIR;
	}
	str_addf(msg, "%s%s: \"%s\": cannot read %s: %s", msg->len ? "\n" : "", where, label, file, strerror(errno));
	return -1;
}

void lists_each(const config_setting_t *s, const char *label, void (*read)(void *arg, const config_setting_t *group, struct faults *f), void *arg,
		struct faults *f)
{
	int count = config_setting_length(s);

	if (!config_setting_is_list(s)) {
		str_addf(fault(f, config_setting_source_line(s)), "\"%s\" must be a list of groups: %s = ( { ... }, { ... } )", label,
			 config_setting_name(s));
		return;
	}
	for (int i = 0; i < count; i++) {
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);

		if (config_setting_is_group(one))
			read(arg, one, f);
		else
			str_addf(fault(f, config_setting_source_line(one)), "\"%s\" must hold groups: { ... }", label);
	}
}

void lists_show_text(struct str *out, const char *text)
{
	str_addc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			str_addc(out, '\\');
		str_addc(out, *text);
	}
	str_addc(out, '"');
}

void lists_show_texts(struct str *out, const char *name, const struct names *texts)
{
	str_addf(out, "%s = [", name);
	for (size_t i = 0; i < texts->count; i++) {
		str_puts(out, i ? ", " : " ");
		lists_show_text(out, texts->v[i]);
	}
	str_puts(out, " ]; ");
}
