// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads what a client says before its stream enters a SOCKS tunnel. It never asks which answer the server gave: what the
 * client sends next tells it. */
#include "inspect/socks.h"

#include <arpa/inet.h>
#include <string.h>

#include "inspect/cursor.h"
#include "inspect/name.h"

#define SOCKS4 4
#define SOCKS5 5
#define COMMAND_CONNECT 1
#define METHOD_NONE 0x00
#define METHOD_PASSWORD 0x02
#define PASSWORD_VERSION 1	/* RFC 1929 2 */
#define ADDRESS_V4 1
#define ADDRESS_NAME 3
#define ADDRESS_V6 4

/* The memos of SOCKS 4 set no limit. Tor, as the strictest, takes 512 bytes for the whole message. */
#define SOCKS4_TEXT_MAX 512

/* Text up to its NUL, which is read, too. False: it can be no text. A cursor at its end is no error of the text's. */
static bool socks_text(struct cursor *c, struct view *text)
{
	size_t n;

	text->p = c->base + c->pos;
	for (n = 0; n <= SOCKS4_TEXT_MAX; n++) {
		uint8_t byte = cursor_u8(c);

		text->len = n;
		if (c->error || !byte)
			return true;
		if (byte < 0x20 || byte == 0x7f)
			return false;
	}
	return false;
}

/* A binary address is written as text, since names are text. */
static enum inspect_result socks_address(struct view address, uint16_t port, struct inspect_scratch *s, struct facts *out)
{
	char *text = (char *)s->bytes + s->used;

	if (sizeof(s->bytes) - s->used < INET6_ADDRSTRLEN)
		return INSPECT_BAD;
	inet_ntop(address.len == 4 ? AF_INET : AF_INET6, address.p, text, INET6_ADDRSTRLEN);
	s->used += strlen(text);
	name_add_target(out, NAME_SOCKS, (struct view){ (const uint8_t *)text, strlen(text) }, port);
	return INSPECT_MATCH;
}

/* Port 0 and 0.0.0.0 are no target. An SQL server's answer (MS-TDS 2.2.3) begins like a request to an address that ends in
 * 0, and where it is not sure who speaks that is the likelier reading. */
static bool socks4_target(const struct inspect_input *in, uint16_t port, struct view address)
{
	return port && (address.p[3] || (memcmp(address.p, "\0\0\0", 3) && in->side == SIDE_CLIENT));
}

static enum inspect_result socks4_request(const struct inspect_input *in, struct cursor *c, struct facts *out)
{
	struct view address, user, name = { 0 };
	uint8_t command = cursor_u8(c);
	uint16_t port;
	bool named;

	if (!c->error && command != COMMAND_CONNECT)
		return INSPECT_NO;
	port = cursor_u16(c);
	address = cursor_take(c, 4);
	named = !c->error && !memcmp(address.p, "\0\0\0", 3);
	if (!c->error && (!socks4_target(in, port, address) || !socks_text(c, &user)))
		return INSPECT_NO;
	if (!c->error && named && (!socks_text(c, &name) || (!c->error && !name.len)))
		return INSPECT_NO;
	if (c->error)
		return INSPECT_MORE;
	if (!named)
		return socks_address(address, port, in->scratch, out);
	name_add_target(out, NAME_SOCKS, name, port);
	return INSPECT_MATCH;
}

/* The reserved byte is not compared: some servers never look at it. */
static enum inspect_result socks5_request(struct cursor *c, struct inspect_scratch *s, struct facts *out)
{
	uint8_t version = cursor_u8(c), command, type;
	struct view host;
	uint16_t port;

	if (!c->error && version != SOCKS5)
		return INSPECT_NO;
	command = cursor_u8(c);
	if (!c->error && command != COMMAND_CONNECT)
		return INSPECT_NO;
	cursor_skip(c, 1);
	type = cursor_u8(c);
	if (!c->error && type != ADDRESS_V4 && type != ADDRESS_NAME && type != ADDRESS_V6)
		return INSPECT_NO;
	host = cursor_take(c, type == ADDRESS_V4 ? 4 : type == ADDRESS_V6 ? 16 : cursor_u8(c));
	port = cursor_u16(c);
	if (c->error)
		return INSPECT_MORE;
	if (type != ADDRESS_NAME)
		return socks_address(host, port, s, out);
	name_add_target(out, NAME_SOCKS, host, port);
	return INSPECT_MATCH;
}

/* The greeting and, if the client goes on with it, the sign-on by password. */
static enum inspect_result socks5_greeting(struct cursor *c)
{
	struct view methods = cursor_take(c, cursor_u8(c));
	bool password;

	if (c->error)
		return INSPECT_MORE;
	password = methods.len && memchr(methods.p, METHOD_PASSWORD, methods.len);
	if (!password && (!methods.len || !memchr(methods.p, METHOD_NONE, methods.len)))
		return INSPECT_NO;
	if (password && cursor_peek(c) == PASSWORD_VERSION) {
		cursor_skip(c, 1);
		cursor_skip(c, cursor_u8(c));
		cursor_skip(c, cursor_u8(c));
	}
	return c->error ? INSPECT_MORE : INSPECT_MATCH;
}

static enum inspect_result socks5(const struct inspect_input *in, struct cursor *c, struct facts *out)
{
	struct cursor bare = cursor_make(in->p, in->len, in->len);
	enum inspect_result r = socks5_greeting(c);

	if (r == INSPECT_MATCH)
		r = socks5_request(c, in->scratch, out);
	if (r != INSPECT_NO || in->side != SIDE_UNSURE)
		return r;
	/* Picked up behind the greeting. */
	*c = bare;
	return socks5_request(c, in->scratch, out);
}

enum inspect_result socks_inspect(const struct inspect_input *in, struct facts *out)
{
	struct cursor c = cursor_make(in->p, in->len, in->len);
	uint8_t version = cursor_u8(&c);
	enum inspect_result r = INSPECT_NO;

	if (in->side == SIDE_SERVER)
		return INSPECT_NO;
	if (version == SOCKS5)
		r = socks5(in, &c, out);
	else if (version == SOCKS4)
		r = socks4_request(in, &c, out);
	if (r == INSPECT_MORE && in->ended)
		return INSPECT_NO;
	if (r == INSPECT_MATCH) {
		out->app = APP_SOCKS;
		out->consumed = c.pos;
		out->again = AGAIN_FRESH;
	}
	return r;
}
