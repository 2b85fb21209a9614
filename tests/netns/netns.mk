# SPDX-License-Identifier: GPL-2.0-or-later
# Everything that runs the real daemon in network namespaces.

# The packages come first: on a fresh machine there is not even a compiler yet.
demo:
	$(Q)contrib/install-deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 tests/netns/demo.py $(BUILD)/minewall

check-netns: $(BUILD)/minewall
	$(Q)/usr/bin/python3 tests/netns/run.py $(BUILD)/minewall

.PHONY: demo check-netns
