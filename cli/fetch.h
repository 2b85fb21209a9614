/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One list, and its signature, from a web server, by libcurl in an unprivileged child (cli/child.h). libcurl is loaded only
 * here, when something is fetched: it never enters the process that judges packets. */
#ifndef MINEWALL_FETCH_H
#define MINEWALL_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/child.h"
#include "cli/signature.h"

/* Longest ETag and Last-Modified that are remembered; a longer one is not sent back. */
#define FETCH_ETAG_MAX 256
#define FETCH_DATE_MAX 64
#define FETCH_WHY_MAX 320

struct fetch_request {
	const char *url;		/* https: only https is followed; http: both, until the first https */
	const char *signature_url;	/* or NULL */
	const char *ca;			/* PEM text of the trusted certificates, NULL: the system's */
	size_t ca_len;
	const char *etag, *last_modified;	/* "": unconditional */
	size_t size_max;		/* bytes, unpacked */
	unsigned timeout_s;		/* for everything together */
};

struct fetch_answer {
	enum { FETCH_FAILED, FETCH_NEW, FETCH_SAME } what;
	char why[FETCH_WHY_MAX];	/* FETCH_FAILED: one clause, printable */
	char etag[FETCH_ETAG_MAX], last_modified[FETCH_DATE_MAX];	/* printable ASCII or "" */
	char signature[SIGNATURE_BYTES_MAX];
	size_t signature_len;
};

/* Is libcurl there? NULL, or why not. */
const char *fetch_open(void);

/* FETCH_NEW fills `*text` (malloc, a NUL behind it) and `*len`. 0, or -errno if no child could be made. */
int fetch_list(const struct fetch_request *request, const struct child_user *user, struct fetch_answer *answer, char **text,
	       size_t *len);

#endif
