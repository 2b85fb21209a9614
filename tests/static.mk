# SPDX-License-Identifier: GPL-2.0-or-later
# Checks that read the sources and run nothing. Findings are mended; what is none carries its reason in tests/cppcheck.txt or beside it.

STATIC_CPPFLAGS = $(CPPFLAGS) -DMINEWALL_IDN -DHAVE_CURL

# Seconds, so `make lint` does it, too.
static-cppcheck:
	$(Q)if ! command -v cppcheck > /dev/null; then echo "skipped: no cppcheck here"; else \
		cppcheck -q --error-exitcode=1 --enable=warning,performance,portability --std=c11 --library=posix --library=zlib \
			--library=tests/cppcheck.cfg --suppressions-list=tests/cppcheck.txt --suppress=missingIncludeSystem \
			$(STATIC_CPPFLAGS) $(DIRS); fi

# One file a process: with several, version 14 takes the second one's va_list for uninitialised.
static-tidy:
	$(Q)if ! command -v clang-tidy > /dev/null; then echo "skipped: no clang-tidy here"; else \
		printf '%s\n' $(SRC) | xargs -P 2 -I FILE clang-tidy --quiet FILE -- $(STATIC_CPPFLAGS) $(PKG_CFLAGS) -std=gnu11; fi

# Leaks are left to clang, LeakSanitizer and valgrind: gcc 12 loses sight of a pointer that is stored in an array it was given.
static-gcc:
	$(Q)if ! $(CC) --version | grep -q 'Free Software'; then echo "skipped: $(CC) is not gcc"; else \
		$(MAKE) --no-print-directory BUILD=$(BUILD)/analyzer \
			CFLAGS='-O1 -g -fanalyzer -Wno-analyzer-malloc-leak -Werror' all; fi

.PHONY: static-cppcheck static-tidy static-gcc
