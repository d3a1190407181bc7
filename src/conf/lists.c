/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists: texts and lists of texts in the configuration file.
 *
 * Owns nothing. Knows no setting.
 */
#include "conf/lists.h"

#include <string.h>

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
