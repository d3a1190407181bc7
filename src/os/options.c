/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: getopt_long(3) over a table.
 *
 * Owns nothing. Knows no option but --help and --version.
 */
#include "os/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>

#define WRONG 2
#define ROW 256                 /* what getopt returns for the first row; the others follow */

int options_parse(const char *program, const char *help, const struct options_row *rows, size_t count, int argc, char **argv)
{
	struct option all[OPTIONS_MAX + 3] = { { "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' } };
	const struct options_row *row;
	size_t i;
	int opt;

	assert(count <= OPTIONS_MAX);
	for (i = 0; i < count; i++)
		all[i + 2] = (struct option){ rows[i].name, rows[i].text ? required_argument : no_argument, NULL, ROW + (int)i };
	while ((opt = getopt_long(argc, argv, "", all, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (opt == 'V') {
			printf("%s " PACKAGE_VERSION "\n", program);
			return 0;
		}
		if (opt < ROW)          /* getopt has said what is wrong */
			return WRONG;
		row = &rows[opt - ROW];
		if (row->text)
			*row->text = optarg;
		else
			*row->flag = true;
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "%s: what is \"%s\"? `%s --help` lists the options\n", program, argv[optind], program);
	return WRONG;
}
