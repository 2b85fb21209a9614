/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `minewall lists export`: what is blocked, as another program reads it. Sorted, each entry once; what a format cannot say is
 * counted and said. */
#include <errno.h>
#include <getopt.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/lists.h"
#include "policy/addresses.h"
#include "policy/names.h"

static const char usage[] =
	"minewall lists export [-c POLICY] FORMAT\n\n"
	"Writes what the policy and its lists block, for another program: names and\n"
	"addresses that hold for everybody, without what is allowed or excepted.\n\n"
	"  dnsmasq   address=/name/, and server=/name/# for what is to pass\n"
	"  hosts     0.0.0.0 name; the names alone, none below them\n"
	"  nft       two sets of addresses, for `nft -f`\n"
	"  suricata  a dataset of strings: the names, in base64\n\n"
	"What FORMAT cannot say is left out, and how much that is, said. Exit code 1 if\n"
	"there is nothing to write.\n\n"
	"Example: minewall lists export dnsmasq > /etc/dnsmasq.d/mining.conf\n";

struct entry {
	char *name;
	bool below, passes;
};

struct exported {
	struct entry *names;
	size_t n_names, room_names;
	struct network *networks;
	size_t n_networks, room_networks;
	size_t written, left_out;
};

static int room(void **items, size_t n, size_t *size, size_t each)
{
	void *grown;

	if (n < *size)
		return 0;
	grown = realloc(*items, (*size ? *size * 2 : 1024) * each);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*size = *size ? *size * 2 : 1024;
	return 0;
}

static int take_name(const char *name, size_t len, bool below, bool passes, void *arg)
{
	struct exported *e = arg;
	struct entry *to;

	if (room((void **)&e->names, e->n_names, &e->room_names, sizeof(*e->names)))
		return -ENOMEM;
	to = &e->names[e->n_names];
	*to = (struct entry){ .below = below, .passes = passes, .name = strndup(name, len) };
	if (!to->name)
		return -ENOMEM;
	e->n_names++;
	return 0;
}

static int take_network(const struct network *net, void *arg)
{
	struct exported *e = arg;

	if (room((void **)&e->networks, e->n_networks, &e->room_networks, sizeof(*e->networks)))
		return -ENOMEM;
	e->networks[e->n_networks++] = *net;
	return 0;
}

/* "x" before "*.x", which it covers. */
static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->passes != y->passes ? x->passes - y->passes : x->below - y->below;
}

static int by_address(const void *a, const void *b)
{
	const struct network *x = a, *y = b;
	int order = memcmp(x->addr, y->addr, sizeof(x->addr));

	return order ? order : (int)x->prefix - (int)y->prefix;
}

static void write_dnsmasq(struct exported *e)
{
	for (size_t i = 0; i < e->n_names; i++) {
		const struct entry *n = &e->names[i];

		printf(n->passes ? "server=/%s%s/#\n" : "address=/%s%s/\n", n->below ? "*." : "", n->name);
		e->written++;
	}
	e->left_out += e->n_networks;
}

static void write_hosts(struct exported *e)
{
	for (size_t i = 0; i < e->n_names; i++) {
		if (e->names[i].below || e->names[i].passes) {
			e->left_out += e->names[i].below && !e->names[i].passes;
			continue;
		}
		printf("0.0.0.0 %s\n", e->names[i].name);
		e->written++;
	}
	e->left_out += e->n_networks;
}

static void write_suricata(struct exported *e)
{
	char text[BASE64_ENCODE_RAW_LENGTH(NAME_LEN_MAX) + 1];

	for (size_t i = 0; i < e->n_names; i++) {
		size_t len = strlen(e->names[i].name);

		if (e->names[i].below || e->names[i].passes || len > NAME_LEN_MAX) {
			e->left_out += !e->names[i].passes;
			continue;
		}
		base64_encode_raw(text, len, (const uint8_t *)e->names[i].name);
		printf("%.*s\n", (int)BASE64_ENCODE_RAW_LENGTH(len), text);
		e->written++;
	}
	e->left_out += e->n_networks;
}

static void write_set(struct exported *e, bool v4)
{
	char text[ADDRESS_TEXT_MAX + 1];
	size_t n = 0;

	printf("\tset pools%c {\n\t\ttype ipv%c_addr\n\t\tflags interval\n\t\tauto-merge\n", v4 ? '4' : '6', v4 ? '4' : '6');
	for (size_t i = 0; i < e->n_networks; i++) {
		if (address_is_v4(e->networks[i].addr) != v4)
			continue;
		address_print(&e->networks[i], text);
		printf(n++ ? ",\n\t\t\t%s" : "\t\telements = {\n\t\t\t%s", text);
	}
	fputs(n ? "\n\t\t}\n\t}\n" : "\t}\n", stdout);
	e->written += n;
}

/* A table of its own, which nothing refers to until the admin's rules do. */
static void write_nft(struct exported *e)
{
	fputs("table inet mining {\n", stdout);
	write_set(e, true);
	write_set(e, false);
	fputs("}\n", stdout);
	for (size_t i = 0; i < e->n_names; i++)
		e->left_out += !e->names[i].passes;
}

static const struct format {
	const char *name;
	void (*write)(struct exported *e);
	const char *head;
} formats[] = {
	{ "dnsmasq", write_dnsmasq, "# What minewall blocks, for dnsmasq.\n" },
	{ "hosts", write_hosts, "# What minewall blocks, as a hosts file.\n" },
	{ "nft", write_nft, "# What minewall blocks, for nft -f.\n" },
	{ "suricata", write_suricata, "" },
};

/* Names, then what a name above covers already, once. */
static void sort_names(struct exported *e)
{
	size_t n = 0;

	if (e->n_names)
		qsort(e->names, e->n_names, sizeof(*e->names), by_name);
	if (e->n_networks)
		qsort(e->networks, e->n_networks, sizeof(*e->networks), by_address);
	for (size_t i = 0; i < e->n_names; i++) {
		if (n && !strcmp(e->names[n - 1].name, e->names[i].name) && e->names[n - 1].passes == e->names[i].passes)
			free(e->names[i].name);
		else
			e->names[n++] = e->names[i];
	}
	e->n_names = n;
	n = 0;
	for (size_t i = 0; i < e->n_networks; i++)
		if (!n || by_address(&e->networks[n - 1], &e->networks[i]))
			e->networks[n++] = e->networks[i];
	e->n_networks = n;
}

static int export(const struct policy *p, const struct format *f)
{
	struct exported e = { 0 };
	struct export_to to = { take_name, take_network, &e };
	size_t with_port = 0;
	int err = policy_export(p, &to, &with_port);

	if (err) {
		fprintf(stderr, "minewall lists: %s\n", strerror(-err));
	} else {
		sort_names(&e);
		fputs(f->head, stdout);
		f->write(&e);
		e.left_out += with_port;
		if (e.left_out)
			fprintf(stderr, "minewall lists: %zu written; %zu entries are nothing that %s can say and were left out\n", e.written,
				e.left_out, f->name);
	}
	for (size_t i = 0; i < e.n_names; i++)
		free(e.names[i].name);
	free(e.names);
	free(e.networks);
	return err ? EXIT_SYSTEM : e.written ? EXIT_DONE : EXIT_NO;
}

int lists_export(int argc, char **argv)
{
	struct cli_args args;
	struct policy_error error;
	struct policy *p;
	char verb[] = "lists export", *own = argv[0];
	int code;

	argv[0] = verb;		/* in messages */
	code = cli_parse(argc, argv, usage, "FORMAT (dnsmasq, hosts, nft or suricata)", &args);
	argv[0] = own;
	if (code >= 0)
		return code;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(args.argument, formats[i].name))
			continue;
		p = policy_load(args.policy, &error);
		if (!p) {
			cli_say_error(&error);
			return error.kind == POLICY_INVALID ? EXIT_POLICY : EXIT_SYSTEM;
		}
		code = export(p, &formats[i]);
		policy_free(p);
		return code;
	}
	fprintf(stderr, "minewall lists: there is no format '%s', expected dnsmasq, hosts, nft or suricata\n", args.argument);
	return EXIT_USAGE;
}
