/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The edit distance of two words, by its usual table of three rows. Made for a dozen short words, not for lists of names. */
#include "cli/near.h"

#include <stdbool.h>
#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned near_distance(const char *a, const char *b)
{
	/* row[i % 3][j]: of the first i letters of a and the first j of b */
	unsigned row[3][NEAR_MAX + 1], n = (unsigned)strlen(a), m = (unsigned)strlen(b);

	if (n > NEAR_MAX || m > NEAR_MAX)
		return n > m ? n : m;
	for (unsigned i = 0; i <= n; i++) {
		unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *two = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			if (i == 0) {
				now[j] = j;
				continue;
			}
			now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], two[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

const char *near_word(const char *word, const char *const *words, size_t n)
{
	size_t len = strlen(word);
	unsigned best = len < 6 ? 2 : (unsigned)len / 3 + 1;	/* the first that is too far */
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = near_distance(word, words[i]);

		if (d < best) {
			best = d;
			found = words[i];
		}
	}
	for (size_t i = 0; !found && len >= 3 && i < n; i++)
		if (!strncmp(word, words[i], len))	/* NOLINT(clang-analyzer-core.NonNullParamChecker): there are n of them */
			found = words[i];
	return found;
}
