# SPDX-License-Identifier: GPL-2.0-or-later
# make bench: minewall beside plain forwarding, a null verdict and peers, in namespaces; root. make bench-instructions: what the core
# executes for fixed inputs. make bench-profile: where it does.

BENCH_ROUNDS ?= 40
BENCH_CORE   := $(filter-out $(BUILD)/cli/%,$(OBJ))
BENCH_TOOLS  := $(BUILD)/tests/bench/load $(BUILD)/tests/bench/nullverdict $(BUILD)/tests/bench/micro $(BUILD)/tests/bench/elements

$(BUILD)/tests/bench/load $(BUILD)/tests/bench/nullverdict: $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(shell pkg-config --libs libmnl) -lpthread

BENCH_LINKED := $(BUILD)/tests/bench/micro $(BUILD)/tests/bench/elements $(BUILD)/tests/bench/instructions

$(BENCH_LINKED): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BENCH_CORE)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread -ldl

bench: $(BUILD)/minewall $(BENCH_TOOLS)
	$(Q)/usr/bin/python3 tests/bench/bench.py --rounds $(BENCH_ROUNDS) $(BUILD)

bench-instructions: $(BUILD)/tests/bench/instructions
	$(Q)/usr/bin/python3 tests/bench/instructions.py $<

bench-instructions-accept: $(BUILD)/tests/bench/instructions
	$(Q)/usr/bin/python3 tests/bench/instructions.py $< --accept

# Where the instructions go, the function that takes most first. CASE=packet_hello: of that one only; PROFILE=--inclusive=yes: with
# all that it calls; PROFILE=--auto=yes: line by line.
bench-profile: $(BUILD)/tests/bench/instructions
	$(Q)valgrind -q --tool=callgrind --toggle-collect=measured --callgrind-out-file=$(BUILD)/callgrind.out $< $(CASE) > $(BUILD)/bench-profile.log
	$(Q)callgrind_annotate --auto=no --threshold=95 $(PROFILE) $(BUILD)/callgrind.out

.PHONY: bench bench-instructions bench-instructions-accept bench-profile
-include $(BENCH_LINKED:=.d) $(BUILD)/tests/bench/load.d $(BUILD)/tests/bench/nullverdict.d
