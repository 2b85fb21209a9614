// SPDX-License-Identifier: GPL-2.0-or-later
/* Names that only a mining program asks for, whatever pool it works for. Built in: they need no list, and an allow
 * rule of the policy still wins. */
#include <string.h>
#include <strings.h>

#include "policy/rules.h"

/* A star stands for one label. XMRig asks for donate.ssl and donate.v2 in turn, an hour or two after its start and ever again, even
 * where its own pool is a private one. */
static const char *const telltales[] = {
	"donate.*.xmrig.com",
};

/* The label in front of the end at `*end`, which moves behind its dot; an empty one if there is none. */
static size_t label_before(const char *text, size_t *end)
{
	size_t start = *end, len;

	while (start && text[start - 1] != '.')
		start--;
	len = *end - start;
	*end = start ? start - 1 : 0;
	return len;
}

/* Two letters of the end, as no star stands there: nearly no name has them, and labels cost more to look at. */
static bool may_cover(const char *pattern, const char *name, size_t len)
{
	size_t n = strlen(pattern);

	return len >= n && (name[len - 1] | 0x20) == pattern[n - 1] && (name[len - 5] | 0x20) == pattern[n - 5];
}

/* Label by label from the end: the name itself or one below it. */
static bool covers(const char *pattern, const char *name, size_t len)
{
	size_t p_end = strlen(pattern), n_end = len;

	while (p_end) {
		size_t p_len = label_before(pattern, &p_end), n_len = label_before(name, &n_end);
		const char *p = pattern + (p_end ? p_end + 1 : 0), *n = name + (n_end ? n_end + 1 : 0);

		if (!n_len || (*p != '*' && (p_len != n_len || strncasecmp(p, n, n_len))))
			return false;
	}
	return true;
}

const char *policy_telltale(const void *name, size_t len)
{
	const char *text = name;

	if (len && text[len - 1] == '.')
		len--;
	for (size_t i = 0; i < sizeof(telltales) / sizeof(telltales[0]); i++)
		if (may_cover(telltales[i], text, len) && covers(telltales[i], text, len))
			return telltales[i];
	return NULL;
}
