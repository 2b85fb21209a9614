/* SPDX-License-Identifier: GPL-2.0-or-later */
int check_main(int argc, char **argv);
