/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_blobs: names below blobs/, and whether content is in its place.
 *
 * Collects the blobs that fsck_data reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "care/fsck_work.h"
#include "os/file.h"
#include "store/blob.h"
#include "store/store_path.h"

struct place {
	struct str dir;                 /* the directory named by the digest */
	struct str data;                /* the content in it */
	struct digest d;
	bool misplaced;
};

static int repair_content(struct fsck_work *w, const void *arg, struct err *e)
{
	const struct place *p = arg;

	return fsck_quarantine(w, p->data.buf, &p->d, e);
}

/* A directory without data: removed if it is empty. */
static int report_bare(struct fsck_work *w, struct place *p)
{
	struct fsck_fault f = { .kind = FSCK_BLOB_BARE, .where = p->dir.buf, .arg = p->dir.buf };
	cleanup_names struct names names = NAMES_INIT;

	if (os_dir_list(w->r->st->dirfd, p->dir.buf, DIR_ALL, &names) < 0)
		return 0;               /* removed meanwhile */
	if (names.count == 0)
		f.repair = fsck_repair_remove;
	fsck_report(w, &f, "has no data%s", names.count ? ", but other files" : "");
	return 1;
}

static void remember(struct fsck_work *w, const struct digest *d, uint64_t size)
{
	if (w->nblobs == w->blobs_cap) {
		w->blobs_cap = w->blobs_cap ? w->blobs_cap * 2 : 256;
		w->blobs = xreallocarray(w->blobs, w->blobs_cap, sizeof(*w->blobs));
	}
	w->blobs[w->nblobs++] = (struct fsck_blob){ *d, size };
}

static int is_of_nothing(const struct digest *d)
{
	struct digest nothing;

	digest_of(&nothing, d->alg, "", 0);
	return digest_eq(d, &nothing);
}

static int check_place(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct place *p = arg;
	struct fsck_fault f = { .where = p->data.buf, .arg = p, .repair = repair_content, .moves = true };
	struct stat sb;
	cleanup_fd int fd = os_open_look(w->r->st->dirfd, p->data.buf, O_RDONLY, &sb);

	(void)e;
	if (fd < 0 && errno == ENOENT)
		return sure ? report_bare(w, p) : 1;
	if (fd < 0 || !S_ISREG(sb.st_mode)) {
		f.kind = fd < 0 && errno != EUCLEAN ? FSCK_UNREADABLE : FSCK_FOREIGN;
		f.repair = NULL;
		if (sure)
			fsck_report(w, &f, f.kind == FSCK_UNREADABLE ? "cannot be opened: %s" : "is not a regular file", strerror(errno));
		return 1;
	}
	if (p->misplaced) {
		f.kind = FSCK_BLOB_MISPLACED;
		if (sure)
			fsck_report(w, &f, "belongs in the directory %.2s", digest_hex(&p->d));
		return 1;
	}
	if (sb.st_size == 0 && !is_of_nothing(&p->d)) {
		f.kind = FSCK_BLOB_EMPTY;
		if (sure)
			fsck_report(w, &f, "is empty, but its digest is not that of empty content");
		return 1;
	}
	if (!sure) {
		w->out->blobs++;
		if (w->o->data)
			remember(w, &p->d, (uint64_t)sb.st_size);
	}
	return 0;
}

static int check_blob(struct fsck_work *w, const char *above, const char *two, const char *hex, const struct digest *d,
		      struct err *e)
{
	struct place p = { .dir = STR_INIT, .data = STR_INIT, .d = *d, .misplaced = strncmp(two, hex, 2) != 0 };
	cleanup_names struct names names = NAMES_INIT;
	size_t i;
	int rc = 0;

	str_addf(&p.dir, "%s/%s", above, hex);
	path_in(&p.data, p.dir.buf, STORE_DATA);
	if (fsck_list(w, p.dir.buf, &names)) {
		for (i = 0; i < names.count; i++)
			if (strcmp(names.v[i], STORE_DATA) != 0)
				fsck_stray(w, p.dir.buf, names.v[i]);
		rc = fsck_twice(w, NULL, check_place, &p, e);
	}
	str_release(&p.dir);
	str_release(&p.data);
	return rc;
}

static int check_two(struct fsck_work *w, const char *above, const char *two, enum digest_alg alg, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT, text = STR_INIT;
	size_t i;

	str_addf(&dir, "%s/%s", above, two);
	fsck_list(w, dir.buf, &names);
	for (i = 0; i < names.count; i++) {
		struct digest d;

		str_reset(&text);
		str_addf(&text, "%s:%s", digest_alg_name(alg), names.v[i]);
		if (digest_parse(&d, text.buf, text.len) < 0)
			fsck_stray(w, dir.buf, names.v[i]);
		else if (check_blob(w, dir.buf, two, names.v[i], &d, e) < 0)
			return -1;
	}
	return 0;
}

static int check_alg(struct fsck_work *w, enum digest_alg alg, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT;
	size_t i;

	path_blobs(&dir, alg);
	fsck_list(w, dir.buf, &names);
	for (i = 0; i < names.count; i++) {
		const char *two = names.v[i];

		if (strlen(two) != 2 || strspn(two, "0123456789abcdef") != 2)
			fsck_stray(w, dir.buf, two);
		else if (check_two(w, dir.buf, two, alg, e) < 0)
			return -1;
	}
	return 0;
}

int fsck_blobs(struct fsck_work *w, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t i;
	int alg;

	fsck_list(w, STORE_BLOBS_DIR, &names);
	for (i = 0; i < names.count; i++)
		if (strcmp(names.v[i], "sha256") != 0 && strcmp(names.v[i], "sha512") != 0)
			fsck_stray(w, STORE_BLOBS_DIR, names.v[i]);
	for (alg = 0; alg < DIGEST_ALG_COUNT; alg++)
		if (check_alg(w, (enum digest_alg)alg, e) < 0)
			return -1;
	return 0;
}
