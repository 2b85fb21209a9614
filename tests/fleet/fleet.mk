# SPDX-License-Identifier: GPL-2.0-or-later
# Gateways that learn from each other. `make fleet` is all of it, some minutes; `make check` runs the quick cases.

fleet: $(BUILD)/minewall faults-tools
	$(Q)/usr/bin/python3 tests/fleet/fleet.py --figures $(BUILD)/fleet.md $(BUILD)/minewall
	$(Q)/usr/bin/python3 tests/fleet/simulate.py --figures $(BUILD)/simulation.md $(BUILD)/minewall

.PHONY: fleet
