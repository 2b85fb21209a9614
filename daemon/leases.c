/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Line by line, each field bounded; a line that is not as its format says is passed over. Addresses are brought into the one
 * form in which events have them. */
#include "daemon/leases.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/event.h"

#define FIELDS_MAX 20
/* The largest lease file that is read. */
#define LEASE_BYTES_MAX (4u << 20)
#define LINE_MAX_BYTES 1024

/* Columns of Kea's CSV, by the names in its first line; the file for IPv6 has others than that for IPv4. */
struct columns {
	int address, mac, name;
};

void leases_fini(struct leases *l)
{
	free(l->items);
	*l = (struct leases) { NULL, 0, 0 };
}

char *leases_text(const char *path, struct stat *st, size_t *len, int *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	ssize_t n;

	*len = 0;
	*error = fd < 0 || fstat(fd, st) ? errno : S_ISREG(st->st_mode) && st->st_size <= (off_t)LEASE_BYTES_MAX ? 0 : EFBIG;
	if (!*error)
		text = malloc((size_t)st->st_size + 1);
	while (text && *len < (size_t)st->st_size && (n = read(fd, text + *len, (size_t)st->st_size - *len)) > 0)
		*len += (size_t)n;
	if (fd >= 0)
		close(fd);
	return text;
}

static bool put_address(struct lease *one, const char *text)
{
	uint8_t raw[16];
	char copy[46];

	snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(text, "/"), text);
	if (inet_pton(AF_INET, copy, raw) == 1)
		return inet_ntop(AF_INET, raw, one->address, sizeof(one->address)) != NULL;
	return inet_pton(AF_INET6, copy, raw) == 1 && inet_ntop(AF_INET6, raw, one->address, sizeof(one->address));
}

/* With colons, as odhcpd's 12 digits, or behind dnsmasq's hardware type ("06-02:00:..."). */
static void put_mac(struct lease *one, const char *text)
{
	unsigned b[6];
	int end = 0;

	if (strlen(text) > 17 && text[2] == '-')
		text += 3;
	if ((sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) == 6 && !text[end]) ||
	    (strlen(text) == 12 && sscanf(text, "%2x%2x%2x%2x%2x%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) == 6 &&
	     end == 12))
		snprintf(one->mac, sizeof(one->mac), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void put_name(struct lease *one, const char *text)
{
	if (strcmp(text, "*") && strcmp(text, "-"))
		event_escape(one->name, sizeof(one->name), (const uint8_t *)text, strlen(text));
}

static void add(struct leases *l, const struct lease *one)
{
	size_t at = 0;

	if (!*one->address)
		return;
	while (at < l->n && strcmp(l->items[at].address, one->address))
		at++;
	if (at == LEASES_MAX)
		return;
	if (at == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct lease *more = realloc(l->items, room * sizeof(*more));

		if (!more)
			return;
		l->items = more;
		l->room = room;
	}
	l->items[at] = *one;
	l->n += at == l->n;
}

/* Cuts the line in place at any of `at`; empty fields count where `empty` says so. */
static size_t split(char *line, const char *at, bool empty, char *fields[FIELDS_MAX])
{
	size_t n = 0;

	while (n < FIELDS_MAX) {
		size_t len = strcspn(line, at);
		bool last = !line[len];

		line[len] = '\0';
		if (len || empty)
			fields[n++] = line;
		if (last)
			break;
		line += len + 1;
	}
	return n;
}

/* expiry mac address name client-id; for IPv6 an id stands in the place of the MAC. */
static void read_dnsmasq(struct leases *l, char *fields[], size_t n)
{
	struct lease one = { "", "", "" };

	if (n < 4 || !put_address(&one, fields[2]))
		return;
	put_mac(&one, fields[1]);
	put_name(&one, fields[3]);
	add(l, &one);
}

/* # interface duid-or-mac iaid-or-"ipv4" name valid assigned length address/prefix... */
static void read_odhcpd(struct leases *l, char *fields[], size_t n)
{
	if (n < 9 || strcmp(fields[0], "#"))
		return;
	for (size_t i = 8; i < n; i++) {
		struct lease one = { "", "", "" };

		if (!put_address(&one, fields[i]))
			continue;
		if (!strcmp(fields[3], "ipv4"))
			put_mac(&one, fields[2]);
		put_name(&one, fields[4]);
		add(l, &one);
	}
}

static bool find_columns(struct columns *c, char *fields[], size_t n)
{
	*c = (struct columns) { -1, -1, -1 };
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(fields[i], "address"))
			c->address = (int)i;
		else if (!strcmp(fields[i], "hwaddr"))
			c->mac = (int)i;
		else if (!strcmp(fields[i], "hostname"))
			c->name = (int)i;
	}
	return c->address >= 0 && c->name >= 0;
}

static void read_kea(struct leases *l, const struct columns *c, char *fields[], size_t n)
{
	struct lease one = { "", "", "" };

	if (n <= (size_t)c->address || n <= (size_t)c->name || !put_address(&one, fields[c->address]))
		return;
	if (c->mac >= 0 && (size_t)c->mac < n)
		put_mac(&one, fields[c->mac]);
	put_name(&one, fields[c->name]);
	add(l, &one);
}

/* By the first line that is not empty. */
static enum lease_format format_of(const char *line, struct columns *c)
{
	char copy[LINE_MAX_BYTES], *fields[FIELDS_MAX];
	size_t n;

	snprintf(copy, sizeof(copy), "%s", line);
	n = split(copy, ",", true, fields);
	if (n > 3 && find_columns(c, fields, n))
		return LEASES_KEA;
	if (line[0] == '#' && line[1] == ' ')
		return LEASES_ODHCPD;
	if (isdigit((unsigned char)line[0]) || !strncmp(line, "duid ", 5))
		return LEASES_DNSMASQ;
	return LEASES_UNKNOWN;
}

enum lease_format leases_read(struct leases *l, const char *text, size_t len)
{
	const char *end = text + len;
	enum lease_format format = LEASES_UNKNOWN;
	struct columns columns = { -1, -1, -1 };
	char line[LINE_MAX_BYTES], *fields[FIELDS_MAX];

	while (text < end) {
		const char *next = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((next ? next : end) - text);

		if (n && n < sizeof(line) && !memchr(text, '\0', n)) {
			memcpy(line, text, n);
			line[n] = '\0';
			line[strcspn(line, "\r")] = '\0';
			if (format == LEASES_UNKNOWN)
				format = format_of(line, &columns);
			n = split(line, format == LEASES_KEA ? "," : " ", format == LEASES_KEA, fields);
			if (format == LEASES_KEA)
				read_kea(l, &columns, fields, n);
			else if (format == LEASES_ODHCPD)
				read_odhcpd(l, fields, n);
			else if (format == LEASES_DNSMASQ)
				read_dnsmasq(l, fields, n);
		}
		text = next ? next + 1 : end;
	}
	return format;
}

const char *leases_name(const struct leases *l, const char *mac, const char *address)
{
	const char *found = "";

	for (size_t i = 0; i < l->n; i++) {
		if (*mac && *l->items[i].name && !strcasecmp(l->items[i].mac, mac))
			return l->items[i].name;
		if (*address && *l->items[i].name && !strcmp(l->items[i].address, address))
			found = l->items[i].name;
	}
	return found;
}

const struct lease *leases_named(const struct leases *l, const char *name)
{
	for (size_t i = l->n; i > 0; i--)
		if (*l->items[i - 1].name && !strcasecmp(l->items[i - 1].name, name))
			return &l->items[i - 1];
	return NULL;
}
