# SPDX-License-Identifier: GPL-2.0-or-later
# Everything that runs the real daemon in network namespaces.

# The packages come first: on a fresh machine there is not even a compiler yet.
demo:
	$(Q)contrib/install-deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 tests/netns/demo.py $(BUILD)/minewall

check-netns: $(BUILD)/minewall netns-tools
	$(Q)/usr/bin/python3 tests/netns/run.py $(BUILD)/minewall

# The same and more under Debian's own kernel, in an emulator: native `queue`, flowtables, a table that anybody may flush.
check-stock: $(BUILD)/minewall netns-tools
	$(Q)tests/netns/stockvm.sh $(BUILD) all

# What the cases need beside Python: nettle's ciphers.
$(BUILD)/tests/netns/quic_initial: $(BUILD)/tests/netns/quic_initial.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(shell pkg-config --libs nettle)

-include $(BUILD)/tests/netns/quic_initial.d

netns-tools: $(BUILD)/tests/netns/quic_initial

.PHONY: demo check-netns check-stock netns-tools
