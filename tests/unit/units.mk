# SPDX-License-Identifier: GPL-2.0-or-later
# One line a unit test: its objects (folder/file without .o), then its libraries.

# $(1) test name, $(2) objects, $(3) pkg-config packages
define unit
UNITS += $(BUILD)/tests/unit/test_$(1)
$(BUILD)/tests/unit/test_$(1): $(BUILD)/tests/unit/test_$(1).o $(2:%=$(BUILD)/%.o)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(shell pkg-config --libs cmocka $(3)) -lpthread
-include $(BUILD)/tests/unit/test_$(1).d
endef

POLICY_UNITS := policy/policy policy/schema policy/doc policy/file policy/lists policy/names policy/addresses policy/decide
$(eval $(call unit,names,policy/names,))
$(eval $(call unit,addresses,policy/addresses,))
$(eval $(call unit,lists,policy/lists policy/names policy/file,))
$(eval $(call unit,policy,$(POLICY_UNITS),yaml-0.1))
$(eval $(call unit,decide,$(POLICY_UNITS),yaml-0.1))
$(eval $(call unit,check,cli/check $(POLICY_UNITS),yaml-0.1 jansson))
