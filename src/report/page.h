/* A page: head, contents, sections, foot; one file without anything from outside it. */
#ifndef DT_REPORT_PAGE_H
#define DT_REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "deltoid/status.h"
#include "plot/plot.h"

typedef struct dt_page {
    dt_buffer contents, body;
    int sections, pictures; /* so far */
    char folder[256];       /* where pictures are drawn before they become the page's; "": not made yet */
    bool letters;           /* pictures in letters, as there is no gnuplot */
} dt_page;

/* Starts a section, with a line in the contents, and ends the one before. `heading` may come from outside. */
void dt_page_section(dt_page *page, const char *heading);

/* A heading within it. */
void dt_page_heading(dt_page *page, const char *heading);

/* A paragraph, escaped. */
void dt_page_paragraph(dt_page *page, const char *text);

/* Draws a kind (plot/plot.h) of one run or study, or of several in one picture, and adds a figure with `caption` below.
 * That of a study is drawn twice, for a desk's width and for a phone's, and the page shows the one that fits. *drawn
 * (may be NULL) says whether there was one: a kind that has no numbers adds nothing and is no failure. Without gnuplot
 * the picture is in letters. */
dt_status dt_page_picture(dt_page *page, const char *const *runs, size_t count, const dt_plot_options *options,
                          const char *caption, bool *drawn, dt_error *error);

/* The whole document; `title` and `lead` (a line under it) from outside. */
void dt_page_finish(dt_page *page, const char *title, const char *lead, dt_buffer *out);

/* Frees, and removes the folder of pictures. */
void dt_page_clear(dt_page *page);

#endif
