/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for a key: a page of its own, which no core file holds and no child inherits. It keeps nobody out who may read this process. */
#ifndef MINEWALL_SECRET_H
#define MINEWALL_SECRET_H

#include <stddef.h>

/* A page, zeroed. NULL: no memory. */
void *secret_new(void);

/* Overwritten first. NULL is allowed. */
void secret_free(void *secret);

#endif
