/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report's two pictures, as SVG inside the page. Numbers only: no text from the log comes in here. Drawn for the width of
 * a phone and scaled up; colours are classes of the page's style, so that they follow light and dark. */
#include <inttypes.h>
#include <time.h>

#include "cli/report.h"

#define WIDTH 360

/* The next of 1, 2, 5, 10, 20 ... that is at least `n`. */
static uint64_t nice(uint64_t n)
{
	uint64_t step = 1;

	while (step < n && step < UINT64_MAX / 10) {
		if (step * 2 >= n)
			return step * 2;
		if (step * 5 >= n)
			return step * 5;
		step *= 10;
	}
	return step;
}

/* "1.2k" */
static const char *brief(char to[16], uint64_t n)
{
	static const char units[] = " kMGTPE";
	size_t u = 0;
	double v = (double)n;

	for (; v >= 1000 && units[u + 1]; u++)
		v /= 1000;
	snprintf(to, 16, u == 0 || v >= 100 || v == (double)(int)v ? "%.0f%.1s" : "%.1f%.1s", v, u ? units + u : "");
	return to;
}

static void time_label(char *to, size_t size, int64_t us, int64_t span_us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(to, size, span_us <= 36 * 3600000000LL ? "%H:%M" : "%d %b", &tm);
}

struct frame {
	int n;			/* parts of the time */
	double x, width;	/* of a part */
	uint64_t top;		/* of the scale */
};

#define CHART_TOP 8
#define CHART_HEIGHT 96
#define CHART_LEFT 32

static double height(const struct frame *f, uint64_t n)
{
	return (double)n * CHART_HEIGHT / (double)f->top;
}

static void bar(FILE *out, const struct frame *f, int slot, const char *class, uint64_t n, uint64_t below)
{
	if (!n)
		return;
	fprintf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>", class, f->x + slot * f->width,
		CHART_TOP + CHART_HEIGHT - height(f, n + below), f->width * (f->width > 3 ? 0.85 : 1), height(f, n));
}

static void axes(FILE *out, const struct frame *f, const struct report *r)
{
	int64_t span = r->until_us - r->tally->start_us;
	char text[16], label[24];

	for (int i = 0; i <= 2; i++) {
		double y = CHART_TOP + CHART_HEIGHT - CHART_HEIGHT * i / 2.0;

		fprintf(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", CHART_LEFT, WIDTH, y, y);
		if (i == 1 && f->top % 2)
			continue;
		fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", CHART_LEFT - 4, y + 3, brief(text, f->top * (uint64_t)i / 2));
	}
	for (int i = 0; i < 4; i++) {
		int slot = f->n * i / 4;

		time_label(label, sizeof(label), r->tally->start_us + slot * r->tally->step_us, span);
		fprintf(out, "<text x=\"%.1f\" y=\"%d\">%s</text>", f->x + slot * f->width, CHART_TOP + CHART_HEIGHT + 12, label);
	}
}

/* "2026-11-23 22:00: 12 stopped, 1 let through", when the pointer rests on it. */
static void hint(FILE *out, const struct frame *f, const struct report *r, int slot)
{
	const struct tally *t = r->tally;
	time_t from = (time_t)((t->start_us + slot * t->step_us) / 1000000);
	char text[24];
	struct tm tm;

	localtime_r(&from, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	fprintf(out, "<rect class=\"touch\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"><title>%s: %" PRIu64 " stopped, %" PRIu64
		" let through</title></rect>", f->x + slot * f->width, CHART_TOP, f->width, CHART_HEIGHT, text, t->slots[slot].blocked,
		t->slots[slot].allowed);
}

void report_chart(FILE *out, const struct report *r)
{
	const struct tally *t = r->tally;
	struct frame f = { .x = CHART_LEFT };
	uint64_t most = 1;

	for (; f.n < TALLY_SLOTS && t->start_us + f.n * t->step_us <= r->until_us; f.n++)
		if (t->slots[f.n].blocked + t->slots[f.n].allowed > most)
			most = t->slots[f.n].blocked + t->slots[f.n].allowed;
	f.n = f.n ? f.n : 1;
	f.top = nice(most);
	f.width = (double)(WIDTH - CHART_LEFT) / f.n;
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Attempts over time, at most %" PRIu64 " in one bar\">", WIDTH,
		CHART_TOP + CHART_HEIGHT + 16, most);
	axes(out, &f, r);
	for (int i = 0; i < f.n; i++) {
		bar(out, &f, i, "stopped", t->slots[i].blocked, 0);
		bar(out, &f, i, "through", t->slots[i].allowed, t->slots[i].blocked);
		if (t->slots[i].blocked + t->slots[i].allowed)
			hint(out, &f, r, i);
	}
	fputs("</svg>\n", out);
}

#define WEEK_LEFT 30
#define WEEK_TOP 4
#define CELL_W ((double)(WIDTH - WEEK_LEFT) / 24)
#define CELL_H 15

/* Is this hour of this weekday within the hours of the house? Asked of the week that ends the report. */
static bool house_awake(const struct report *r, int day, int hour)
{
	time_t t = (time_t)(r->until_us / 1000000);
	struct tm tm;
	uint32_t left;

	localtime_r(&t, &tm);
	tm.tm_mday += day - tm.tm_wday - 7;
	tm.tm_hour = hour;
	tm.tm_min = 30;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return schedule_holds(r->tally->hours, (int64_t)mktime(&tm), &left);
}

/* Five steps, each twice the one before or more: one busy hour must not make all others look empty. */
static int shade(uint64_t n, uint64_t most)
{
	int step = 5;

	for (uint64_t bound = most; step > 1 && n <= bound / 3; bound /= 3)
		step--;
	return step;
}

static void cell(FILE *out, const struct report *r, int row, int day, int hour, uint64_t most)
{
	static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
	uint64_t n = r->tally->week[day][hour];
	bool outside = r->tally->hours && !house_awake(r, day, hour);
	double x = WEEK_LEFT + hour * CELL_W, y = WEEK_TOP + row * CELL_H;

	fprintf(out, "<rect class=\"cell%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%d\"/>", outside ? " out" : "", x, y, CELL_W - 1.5,
		CELL_H - 2);
	if (!n)
		return;
	fprintf(out, "<rect class=\"q%d%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%d\"><title>%s %02d:00: %" PRIu64 " attempts%s</title></rect>",
		shade(n, most), outside ? " night" : "", x, y, CELL_W - 1.5, CELL_H - 2, days[day], hour, n, outside ? ", outside the hours" : "");
}

void report_week(FILE *out, const struct report *r)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	uint64_t most = 0;

	for (int day = 0; day < 7; day++)
		for (int hour = 0; hour < 24; hour++)
			if (r->tally->week[day][hour] > most)
				most = r->tally->week[day][hour];
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Attempts by weekday and hour, at most %" PRIu64 " in one hour\">", WIDTH,
		WEEK_TOP + 7 * CELL_H + 14, most);
	for (int row = 0; row < 7; row++) {
		int day = (row + 1) % 7;	/* the week begins on Monday */

		fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", WEEK_LEFT - 5, WEEK_TOP + row * CELL_H + 10, days[day]);
		for (int hour = 0; hour < 24; hour++)
			cell(out, r, row, day, hour, most);
	}
	for (int hour = 0; hour < 24; hour += 3)
		fprintf(out, "<text x=\"%.1f\" y=\"%d\">%02d</text>", WEEK_LEFT + hour * CELL_W, WEEK_TOP + 7 * CELL_H + 9, hour);
	fputs("</svg>\n", out);
}
