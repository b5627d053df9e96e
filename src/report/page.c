#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "report/page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "deltoid/version.h"
#include "plot/gnuplot.h"
#include "plot/maker.h"
#include "plot/sheet.h"
#include "report/html.h"
#include "report/style.h"
#include "report/svg.h"

enum { PICTURE_MAX = 32 << 20, NAME_MAX_BYTES = 32 };

void dt_page_section(dt_page *page, const char *heading)
{
    if (page->sections)
        dt_buffer_add(&page->body, "</section>\n");
    const int n = ++page->sections;
    dt_buffer_format(&page->contents, "<li><a href=\"#s%d\">", n);
    dt_html_text(&page->contents, heading);
    dt_buffer_add(&page->contents, "</a></li>\n");
    dt_buffer_format(&page->body, "<section aria-labelledby=\"s%d\">\n<h2 id=\"s%d\">", n, n);
    dt_html_text(&page->body, heading);
    dt_buffer_add(&page->body, "</h2>\n");
}

void dt_page_heading(dt_page *page, const char *heading)
{
    dt_html_element(&page->body, "h3", heading);
}

void dt_page_paragraph(dt_page *page, const char *text)
{
    dt_html_element(&page->body, "p", text);
}

/* --- pictures --- */

/* What calls of dt_plot leave: files to put in, or letters; all in one figure, a box each. */
typedef struct drawing {
    dt_page *page;
    const char *caption, *class; /* of the picture */
    const char *box;             /* class of its box */
    bool open;                   /* the figure */
    dt_status status;
    dt_error *error;
} drawing;

static void begin_box(drawing *d)
{
    dt_buffer *out = &d->page->body;
    dt_buffer_format(out, "%s<div class=\"%s\" role=\"region\" tabindex=\"0\" aria-label=\"", d->open ? "" : "<figure>",
                     d->box);
    dt_html_text(out, d->caption);
    dt_buffer_add(out, "\">\n");
    d->open = true;
}

static void end_figure(const drawing *d)
{
    if (!d->open)
        return;
    dt_buffer_add(&d->page->body, "<figcaption>");
    dt_html_sentence(&d->page->body, d->caption); /* summaries of kinds begin small */
    dt_buffer_add(&d->page->body, "</figcaption></figure>\n");
}

static void take_picture(void *context, const char *path)
{
    drawing *d = context;
    dt_arena arena = {0};
    char *svg, name[NAME_MAX_BYTES];
    if (d->status != DT_OK)
        return;
    snprintf(name, sizeof name, "p%d", ++d->page->pictures);
    d->status = dt_file_read(path, PICTURE_MAX, &arena, &svg, NULL, d->error);
    if (d->status == DT_OK) {
        begin_box(d);
        d->status = dt_svg_add(&d->page->body, svg, name, d->class, d->caption, d->error);
        dt_buffer_add(&d->page->body, "</div>\n");
    }
    dt_arena_clear(&arena);
}

static void take_letters(void *context, const char *text)
{
    drawing *d = context;
    d->box = "scroll"; /* the only one */
    begin_box(d);
    dt_html_pre(&d->page->body, d->caption, text);
    dt_buffer_add(&d->page->body, "</div>\n");
}

static dt_status make_folder(dt_page *page, dt_error *error)
{
    const char *base = getenv("TMPDIR");
    if (page->folder[0])
        return DT_OK;
    const int n =
        snprintf(page->folder, sizeof page->folder, "%s/deltoid-report-XXXXXX", base && *base ? base : "/tmp");
    if (n > 0 && (size_t)n < sizeof page->folder && mkdtemp(page->folder))
        return DT_OK;
    page->folder[0] = '\0';
    return dt_fail_errno(error, errno, base && *base ? base : "/tmp", "make a folder for pictures in");
}

static bool is_of_studies(const char *name)
{
    const dt_plot_kind *kind;
    for (size_t i = 0; (kind = dt_plot_study_kind_at(i)); i++)
        if (strcmp(kind->name, name) == 0)
            return true;
    return false;
}

/* Areas whose colours are numbers stay on white paper in the dark. */
static const char *class_of(const char *name)
{
    const dt_plot_kind *kind;
    for (size_t i = 0; (kind = dt_plot_kind_at(i)); i++)
        if (strcmp(kind->name, name) == 0 && kind->maker->script == dt_script_heat)
            return "paper";
    return is_of_studies(name) ? "chart" : "wide";
}

/* In letters from the first time on that there is no gnuplot. */
static dt_status draw(dt_page *page, const char *const *runs, size_t count, dt_plot_options *how, dt_error *error)
{
    dt_error_clear(error);
    how->term = page->letters ? "text" : "svg";
    dt_status status = dt_plot(runs, count, how, error);
    if (status == DT_UNSUPPORTED && !page->letters) {
        page->letters = true;
        how->term = "text";
        dt_error_clear(error);
        status = dt_plot(runs, count, how, error);
    }
    return status;
}

dt_status dt_page_picture(dt_page *page, const char *const *runs, size_t count, const dt_plot_options *options,
                          const char *caption, bool *drawn, dt_error *error)
{
    const bool twice = is_of_studies(options->kind);
    dt_error now;
    drawing d = {.page = page,
                 .caption = caption,
                 .class = class_of(options->kind),
                 .box = twice ? "scroll desk" : "scroll",
                 .error = error};
    dt_plot_options how = *options;
    dt_status status = make_folder(page, error);
    if (status != DT_OK)
        return status;
    how.folder = page->folder;
    how.picture = take_picture;
    how.text = take_letters;
    how.context = &d;
    how.width = 78;
    how.letters = DT_LETTERS_UNICODE;
    status = draw(page, runs, count, &how, &now);
    if (status == DT_OK && twice && !page->letters) {
        how.narrow = true;
        d.box = "scroll phone";
        status = draw(page, runs, count, &how, &now);
    }
    end_figure(&d);
    if (drawn)
        *drawn = status == DT_OK;
    if (status == DT_NOT_FOUND)
        return DT_OK;
    return status == DT_OK ? d.status : dt_fail(error, status, "%s", now.message);
}

/* --- the document --- */

void dt_page_finish(dt_page *page, const char *title, const char *lead, dt_buffer *out)
{
    char when[32] = "";
    struct tm utc;
    const time_t now = time(NULL);
    if (gmtime_r(&now, &utc))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &utc);
    dt_buffer_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                       "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                       /* The page loads nothing and runs nothing, whatever got into it. */
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                       "'unsafe-inline'; img-src data:\"/>\n<title>");
    dt_html_text(out, title);
    dt_buffer_add(out, "</title>\n<style>\n");
    dt_buffer_add(out, dt_report_style);
    dt_buffer_add(out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n"
                       "<header>\n<h1>");
    dt_html_text(out, title);
    dt_buffer_add(out, "</h1>\n<p class=\"lead\">");
    dt_html_text(out, lead);
    dt_buffer_add(out, "</p>\n<nav aria-label=\"Contents\"><ul>\n");
    dt_buffer_add(out, page->contents.bytes ? page->contents.bytes : "");
    dt_buffer_add(out, "</ul></nav>\n</header>\n<main id=\"content\">\n");
    dt_buffer_add(out, page->body.bytes ? page->body.bytes : "");
    dt_buffer_format(out,
                     "%s</main>\n<footer><p>Made by deltoid %s on %s. This page is one file: it loads nothing.</p>"
                     "</footer>\n</body>\n</html>\n",
                     page->sections ? "</section>\n" : "", dt_version(), when);
    out->failed = out->failed || page->contents.failed || page->body.failed;
}

static void remove_folder(const char *folder)
{
    DIR *open = opendir(folder);
    for (struct dirent *entry; open && (entry = readdir(open));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(open), entry->d_name, 0);
    if (open)
        closedir(open);
    rmdir(folder);
}

void dt_page_clear(dt_page *page)
{
    if (page->folder[0])
        remove_folder(page->folder);
    dt_buffer_clear(&page->contents);
    dt_buffer_clear(&page->body);
    *page = (dt_page){0};
}
