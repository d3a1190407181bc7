/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: runs the corpus of a fuzzer without libFuzzer, as a test.
 *
 * t/fuzz/fuzz_WHAT          all of $SRCDIR/t/fuzz/corpus/WHAT, as TAP
 * t/fuzz/fuzz_WHAT FILE...  these inputs, such as one that crashed
 *
 * Each input is in memory of its exact size, so that a sanitizer or valgrind sees a read behind it.
 */

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include "fuzz.h"

#define PREFIX "fuzz_"

static const char *current;

static const char *program_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 ? name + strlen(PREFIX) : name;
}

static void replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) < 0) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
	data = malloc(size ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
		printf("Bail out! %s: cannot read\n", path);
		exit(1);
	}
	fclose(f);
	current = path;
	LLVMFuzzerTestOneInput(data, (size_t)size);
	current = NULL;
	free(data);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_input(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int replay_folder(const char *what)
{
	const char *top = getenv("SRCDIR");
	struct dirent **list;
	char *folder = NULL, *path;
	int n, i;

	if (asprintf(&folder, "%s/t/fuzz/corpus/%s", top ? top : ".", what) < 0)
		abort();
	n = scandir(folder, &list, is_input, by_name);
	for (i = 0; i < n; i++) {
		if (asprintf(&path, "%s/%s", folder, list[i]->d_name) < 0)
			abort();
		replay_file(path);
		free(path);
		free(list[i]);
	}
	if (n < 0)
		printf("# %s: %s\n", folder, strerror(errno));
	else
		free(list);
	free(folder);
	printf("%sok 1 - %d inputs of %s pass\n1..1\n", n > 0 ? "" : "not ", n < 0 ? 0 : n, what);
	return n > 0 ? 0 : 1;
}

static void on_abort(int sig)
{
	if (current)
		fprintf(stderr, "the input was %s\n", current);
	signal(sig, SIG_DFL);
	raise(sig);
}

int main(int argc, char **argv)
{
	int i;

	signal(SIGABRT, on_abort);
	for (i = 1; i < argc; i++)
		replay_file(argv[i]);
	return argc > 1 ? 0 : replay_folder(program_name(argv[0]));
}
