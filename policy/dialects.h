/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys `dialects:` and `dialects_off:`: rows of the admin's own, which come before the built-in ones, and
 * built-in ones that are left out. Knows no JSON: inspect/ says whether a row is well formed. */
#ifndef MINEWALL_POLICY_DIALECTS_H
#define MINEWALL_POLICY_DIALECTS_H

#include "policy/doc.h"

/* Texts are owned. */
struct dialect_own {
	char *dialect, *method, *require, *capture;
	unsigned sides, kind, carriers;
};

struct dialect_rules {
	struct dialect_own *own;
	size_t n_own;
	const char **off;		/* the built-in table's own texts */
	size_t n_off;
	struct dialect_row *rows;	/* NULL: the built-in table as it is */
	struct dialect_table table;
	void *code;			/* of the table */
};

/* Readers for struct doc_key; `key->offset` is that of the struct dialect_rules. */
int dialects_read(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
int dialects_read_off(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);

/* Builds the table, once, after the keys are read. 0 or -ENOMEM. */
int dialects_seal(struct dialect_rules *d);
void dialects_free(struct dialect_rules *d);

#endif
