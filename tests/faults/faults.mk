# SPDX-License-Identifier: GPL-2.0-or-later
# Faults under traffic. `make faults` is all of them, a few minutes; `make check` runs a part.

# Position-independent whatever CFLAGS say, and without a sanitizer: it is loaded into the daemon.
$(BUILD)/tests/faults/skew.so: tests/faults/skew.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) -O2 -fPIC -shared -o $@ $<

faults-tools: $(BUILD)/tests/faults/skew.so

faults: $(BUILD)/minewall faults-tools
	$(Q)/usr/bin/python3 tests/faults/faults.py --table $(BUILD)/faults.md $(BUILD)/minewall

# Half an hour, or SOAK_SECONDS.
soak: $(BUILD)/minewall netns-tools
	$(Q)/usr/bin/python3 tests/faults/soak.py --seconds $${SOAK_SECONDS:-1800} $(BUILD)/minewall

.PHONY: faults faults-tools soak
