// SPDX-License-Identifier: GPL-2.0-or-later
/* Texts of policies, lists and state files on their way to the terminal. What a line says is its caller's business. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/escape.h"

const char *cli_safe(char to[CLI_SAFE_MAX], const char *text)
{
	escape_text(to, CLI_SAFE_MAX, ESCAPE_TERMINAL, text, strlen(text));
	return to;
}

void cli_say_error(const struct policy_error *error)
{
	char text[CLI_SAFE_MAX];

	fprintf(stderr, "%s\n", cli_safe(text, error->text));
}
