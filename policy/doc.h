/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A YAML text as a tree whose every node knows its line and column, and readers of its scalars, lists and mappings
 * that answer with one whole message for the operator. Knows YAML, nothing of what the keys mean. */
#ifndef MINEWALL_DOC_H
#define MINEWALL_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "policy/policy.h"

/* A policy is written by hand: these stop a wrong or hostile file long before it costs memory or time. */
#define DOC_BYTES_MAX (1u << 20)
#define DOC_DEPTH_MAX 16
#define DOC_NODES_MAX 65536
#define DOC_ALIASES_MAX 64		/* anchors and aliases, together */

struct doc {
	const char *file;		/* as the operator gave it */
	const char *base;		/* the file from whose folder relative paths start */
	struct policy_error *error;
	yaml_document_t yaml;
	bool open;
};

/* Parses the text. 0, or -1 with `error` filled (which stays in use until doc_close). */
int doc_open(struct doc *doc, const char *file, const char *text, size_t len, struct policy_error *error);
void doc_close(struct doc *doc);

/* The root node; NULL for an empty document. */
yaml_node_t *doc_root(struct doc *doc);

/* Fills the error as "FILE:LINE:COLUMN: ..." and returns -1; `node` NULL: no position. */
int doc_fail(struct doc *doc, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for system errors and for shortage of memory. */
int doc_fail_kind(struct doc *doc, const yaml_node_t *node, int kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A value for a message: at most 60 bytes of it. Buffer of DOC_QUOTE bytes. */
#define DOC_QUOTE 72
const char *doc_quote(const yaml_node_t *scalar, char *to);

/* 1-based line of a node. */
unsigned doc_line(const yaml_node_t *node);

/* One key of a mapping and how its value is read into `to`. */
struct doc_key {
	const char *name;
	const char *path;	/* for messages: "block.timeout" */
	int (*read)(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
	size_t offset;		/* in `to`, where the reader stores */
	const void *arg;	/* what the reader wants to know: words, bounds, keys below */
};

/* The keys of one mapping; a struct doc_keys is the `arg` of doc_read_mapping. */
struct doc_keys {
	const struct doc_key *keys;
	size_t n;
	uint64_t required;	/* bit i: keys[i] must be there */
	const char *example;	/* for messages: "{first: 0, count: auto}" */
};

struct doc_words {
	const char *const *words;	/* index = value, an enum */
	size_t n;
};

struct doc_number {
	enum { NUMBER_PLAIN, NUMBER_DURATION, NUMBER_SIZE } unit;
	uint64_t min, max;
	unsigned width;			/* bytes of the field: 2, 4 or 8 */
	const char *expected;		/* "a number from 1 to 9" */
};

struct doc_list {
	size_t max;
	const char *expected;		/* "a list of names, such as [pool.example]" */
	int (*item)(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
};

/* Readers for struct doc_key. 0 or -1 with the error filled. */
int doc_read_mapping(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
int doc_read_list(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
int doc_read_word(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);	/* an enum */
int doc_read_bool(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
int doc_read_number(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);

/* A scalar that is text: not empty, no NUL, at most `max` bytes. */
int doc_text(struct doc *doc, yaml_node_t *value, const struct doc_key *key, size_t max, const char *expected);

#endif
