# SPDX-License-Identifier: GPL-2.0-or-later
# Packages, and what is tested of them. All of it happens in $(BUILD); the checks here are not part of `make check`.

# The Debian package: a copy of the sources, with contrib/debian where the builder looks for it. DEB_VERSION: another version.
DEB := $(BUILD)/deb
DEB_SOURCE := $(DEB)/minewall-$(VERSION)
deb:
	$(Q)rm -rf $(DEB) && mkdir -p $(DEB_SOURCE)
	$(Q)tar -c --exclude=.git --exclude=./$(BUILD) --exclude=./build --exclude=__pycache__ . | tar -x -C $(DEB_SOURCE)
	$(Q)cp -r $(DEB_SOURCE)/contrib/debian $(DEB_SOURCE)/debian
	$(Q)[ -z "$(DEB_VERSION)" ] || sed -i '1s/(.*)/($(DEB_VERSION))/' $(DEB_SOURCE)/debian/changelog
	$(Q)cd $(DEB_SOURCE) && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS $(if $(CCACHE_DIR),PATH=/usr/lib/ccache:"$$PATH") \
		dpkg-buildpackage -us -uc -b >../build.log 2>&1 || { tail -30 ../build.log; exit 1; }
	$(Q)ls $(DEB)/*.deb

check-papers: $(BUILD)/man/made
	$(Q)/usr/bin/python3 tests/package/papers.py $(BUILD)/minewall $(BUILD)/man

# OpenWrt's recipe and init script, as far as they can be tried without its SDK.
check-openwrt: $(BUILD)/minewall
	$(Q)/usr/bin/python3 tests/package/openwrt.py $(BUILD)/minewall

# Builds it, installs it into a clean Debian, lets traffic through, upgrades and purges it. Minutes; needs root and a mirror of Debian.
check-package:
	$(Q)contrib/install-deps --large
	$(Q)BUILD=$(BUILD) /usr/bin/python3 tests/package/package.py

# For aarch64 and s390x by Debian's cross compilers, and run under qemu's user emulation: another byte order, no unaligned access. Seven
# minutes of a processor, and some the first time; needs root and a mirror of Debian.
check-cross: $(BUILD)/minewall netns-tools
	$(Q)contrib/install-deps --large
	$(Q)BUILD=$(BUILD) /usr/bin/python3 tests/package/cross.py

# From a fresh Debian to the first blocked connection in `minewall log`: commands, things to know, seconds.
newcomer:
	$(Q)contrib/install-deps --large
	$(Q)BUILD=$(BUILD) /usr/bin/python3 tests/package/newcomer.py

.PHONY: newcomer check-papers check-openwrt deb check-package check-cross
