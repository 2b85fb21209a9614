# SPDX-License-Identifier: GPL-2.0-or-later
# make bench-names: a list of a million names, its load, memory and look-ups, beside a plain hash table of strings. Writes
# BUILD/bench-names.json.

BENCH_NAMES := policy/file policy/lists policy/list_text policy/list_detect policy/list_simple policy/list_adblock \
	policy/list_config policy/list_rpz policy/name_entry policy/names policy/block policy/addresses

$(BUILD)/tests/bench/bench_names: $(BUILD)/tests/bench/bench_names.o $(BENCH_NAMES:%=$(BUILD)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(if $(IDN),$(shell pkg-config --libs $(IDN)))

bench-names: $(BUILD)/tests/bench/bench_names
	$(Q)$(BUILD)/tests/bench/bench_names $(BUILD)

.PHONY: bench-names
-include $(BUILD)/tests/bench/bench_names.d
