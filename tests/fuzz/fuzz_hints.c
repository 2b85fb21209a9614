/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer: lines of what a broker may say (topic, blank, payload), of keys, and of everything else that moves the table of hints. Every
 * signature holds, so that what is behind them is reached. However it comes: the bounds hold, and nothing is told that is over. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/hints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 100
#define START 1800000000

static void require(bool true_thing)
{
	if (!true_thing)
		abort();
}

static bool verify(const uint8_t signature[64], const void *text, size_t len, const uint8_t key[32])
{
	(void)signature;
	(void)key;
	require(len > 40 && len < HINT_TEXT_MAX && ((const char *)text)[len - 1] == '\n' && !memchr(text, '\0', len));
	return true;
}

static void check(struct hints *h, int64_t now)
{
	struct hints_figures f;
	struct hint_change c;

	hints_figures(h, now, &f);
	require(f.hints <= MOST && f.confirmed <= f.endpoints && f.endpoints <= f.hints);
	while (hints_next(h, now, &c)) {
		require(!c.until_s || (c.until_s > now && c.until_s <= now + 2 * HINTS_LIFE_S && *c.gateways));
		require(memchr(c.gateways, '\0', sizeof(c.gateways)) && memchr(c.dialect, '\0', sizeof(c.dialect)));
		hints_told(h, &c);
		if (c.at.port % 7 == 3)
			hints_refuse(h, &c.at, c.at.port % 2 ? HINT_POLICY : HINT_ACCEPTED);
	}
}

static void message(struct hints *h, char *line, int64_t now)
{
	char *payload = strchr(line, ' '), text[HINT_ENDPOINT_TEXT];
	struct hint_seen seen;
	enum hint_result is;

	if (payload)
		*payload++ = '\0';
	is = hints_take(h, line, payload ? payload : "", payload ? strlen(payload) : 0, *line == 'm', now, now * 1000, &seen);
	require(hint_result_text(is) != NULL);
	if (seen.has_endpoint)
		require(strlen(hint_endpoint_text(text, &seen.at)) > 8);
	if (is == HINT_ACCEPTED)
		require(!hint_reserved(&seen.at) && *seen.gateway);
}

static void about(struct hints *h, char what, const char *topic, int64_t now)
{
	char gateway[FLEET_NAME_MAX];
	struct hint_endpoint at;

	if (hint_read_topic(topic, "s", gateway, &at) != HINT_TOPIC_ENDPOINT)
		return;
	if (what == '+')
		hints_point(h, &at, now);
	else if (what == '-')
		hints_mute(h, &at, now);
	else
		hints_restore(h, &at, "zcash", gateway, now + 100, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t key[2] = { 1, 2 };
	static const char keys[] = "a AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nb AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
	struct hints_config config = { "s", "me", 2, 60, MOST };
	struct hints *h = hints_new(verify, key);
	char *text = malloc(size + 1), *next;
	int64_t now = START;

	require(h && text);
	memcpy(text, data, size);
	text[size] = '\0';
	hints_configure(h, &config);
	require(hints_keys(h, keys, sizeof(keys) - 1) == 0);
	for (char *line = text; line && line < text + size; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line == 'k')
			hints_keys(h, line + 1, strlen(line + 1));
		else if (*line == '>')
			now += atoi(line + 1) % 100000;
		else if (*line == '+' || *line == '-' || *line == '=')
			about(h, *line, line + 1, now);
		else if (*line == '!')
			hints_again(h);
		else
			message(h, line, now);
		if (*line == '>')
			hints_tick(h, now);
		check(h, now);
	}
	free(text);
	hints_free(h);
	return 0;
}
