/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What schema.c (the policy's plain keys) and the files of its larger ones share: schema_items.c (entries of lists), schema_lists.c,
 * schema_rules.c (groups and rules), schema_reporting.c. */
#ifndef MINEWALL_SCHEMA_H
#define MINEWALL_SCHEMA_H

#include "policy/doc.h"
#include "policy/rules.h"

extern const struct doc_words schema_scopes, schema_detects;
extern const struct doc_number schema_timeout;

/* Fills the error; returns -1. */
int schema_no_memory(struct doc *doc);

/* "192.0.2.7", "198.51.100.0/24", "[2001:db8::7]:3333". 0, or -1 with the error filled. */
int schema_read_endpoint(struct doc *doc, yaml_node_t *value, const struct doc_key *key, struct network *net);

/* Lists of names, addresses and interfaces, read into the fields at the key's offset or into the settings. */
extern const struct doc_list schema_names, schema_blocked, schema_endpoints, schema_shared, schema_networks, schema_interfaces, schema_offload;

/* `lists` and `categories`; the actions that follow from both are filled in when all files are read. */
extern const struct doc_list schema_lists;
int schema_read_categories(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
void schema_complete_actions(struct policy *p);

/* Readers of `groups` and of one entry of `rules`; `to` is the struct policy. */
int schema_read_groups(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
int schema_item_rule(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);

/* Days, hours and a zone into the struct schedule at the key's offset; `schema_hours` are the keys of the admin's own `hours:`. */
int schema_read_schedule(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
extern const struct doc_keys schema_hours;

/* A path of at most `size` - 1 bytes into `to`; a relative one starts at the policy's folder. 0, or -1 with the error filled. */
int schema_resolve_path(struct doc *doc, yaml_node_t *value, const struct doc_key *key, char *to, size_t size);

/* Keys of policy/schema_reporting.c; `to` is the struct policy. */
extern const struct doc_keys schema_incidents, schema_alert, schema_quarantine, schema_metrics;
int schema_read_cpu(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);
extern const struct doc_list schema_leases;

/* Of policy/schema_fleet.c; the same. */
int schema_read_fleet(struct doc *doc, yaml_node_t *value, const struct doc_key *key, void *to);

/* Looks up the groups and lists that the rules from the `first` on name. 0, or -1 with the error filled. */
int schema_resolve(struct doc *doc, struct policy *p, size_t first);

#endif
