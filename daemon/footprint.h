/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of our program's and the libraries' files is in our memory. */
#ifndef MINEWALL_FOOTPRINT_H
#define MINEWALL_FOOTPRINT_H

/* Lets go of all of it; what is still needed comes back page by page, from the page cache as a rule. Whole at any time, from any thread. */
void footprint_trim(void);

#endif
