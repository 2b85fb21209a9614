/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which known word was meant by a mistyped one. Compares letters only; knows no verbs and prints nothing. */
#ifndef MINEWALL_NEAR_H
#define MINEWALL_NEAR_H

#include <stddef.h>

/* How many letters must be changed, put in, left out or swapped with their neighbour to make `b` of `a` (Damerau's distance,
 * each place touched once). Words of more than NEAR_MAX letters are as far from all others as their length. */
#define NEAR_MAX 31
unsigned near_distance(const char *a, const char *b);

/* The nearest of `n` words to `word`, if it is near enough to be meant: a third of its letters may be wrong, at least one; or `word`
 * is its beginning, of three letters or more. NULL: none is. */
const char *near_word(const char *word, const char *const *words, size_t n);

#endif
