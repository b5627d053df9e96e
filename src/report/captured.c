/* The section of capture.h5: what was captured, by rule. */
#include <stdio.h>
#include <string.h>

#include "deltoid/capture.h"
#include "report/html.h"
#include "report/sections.h"

/* The last part of a name: "z" of "/probe/layer01/z". */
static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* The rule's data sets that are quantities, by names, each once; their bytes in memory. */
static double add_quantities(dt_capture_reader *reader, const char *rule, dt_buffer *out)
{
    const dt_capture_dataset *set;
    double bytes = 0;
    const size_t length = strlen(rule);
    for (size_t i = 0; (set = dt_capture_reader_at(reader, i)); i++) {
        if (strncmp(set->name + 1, rule, length) != 0 || set->name[1 + length] != '/' || set->is_scale)
            continue;
        double numbers = set->element;
        for (int d = 0; d < set->rank; d++)
            numbers *= (double)set->size[d];
        bytes += numbers;
        if (!strncmp(set->name + 1 + length, "/layer", 6)) {
            bool known = false;
            for (size_t j = 0; j < i && !known; j++) {
                const dt_capture_dataset *other = dt_capture_reader_at(reader, j);
                known = strncmp(other->name + 1, rule, length) == 0 && other->name[1 + length] == '/' &&
                        strcmp(last_part(other->name), last_part(set->name)) == 0;
            }
            if (!known)
                dt_buffer_format(out, "%s%s", out->length ? ", " : "", last_part(set->name));
        }
    }
    return bytes;
}

static dt_status add_rule(dt_capture_reader *reader, const char *rule, dt_page *page, dt_error *error)
{
    int64_t *steps, count, dropped = 0;
    dt_buffer quantities = {0};
    dt_status status = dt_capture_reader_steps(reader, rule, &steps, &count, error);
    if (status == DT_OK)
        status = dt_capture_reader_dropped(reader, rule, &dropped, error);
    if (status == DT_OK) {
        char span[64] = "none";
        const double bytes = add_quantities(reader, rule, &quantities);
        if (count > 0)
            snprintf(span, sizeof span, "%lld to %lld", (long long)steps[0], (long long)steps[count - 1]);
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, rule);
        dt_html_cell(&page->body, quantities.bytes ? quantities.bytes : "");
        dt_html_number(&page->body, 0, (double)count);
        dt_html_cell(&page->body, span);
        dt_html_number(&page->body, 0, (double)dropped);
        dt_html_number(&page->body, 2, bytes / (1 << 20));
        dt_html_row_end(&page->body);
        dt_capture_release(steps);
    }
    page->body.failed = page->body.failed || quantities.failed;
    dt_buffer_clear(&quantities);
    return status;
}

dt_status dt_section_capture(const dt_reported *r, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {{"rule", false},  {"quantities", false}, {"steps", true},
                                             {"which", false}, {"dropped", true},     {"MiB", true}};
    dt_capture_reader *reader;
    dt_error now;
    const char *rule;
    dt_error_clear(&now);
    dt_status status = dt_capture_reader_open(&reader, r->run->path, DT_CAPTURE_ALL, &now);
    if (status == DT_NOT_FOUND)
        return DT_OK;
    if (status == DT_MALFORMED) { /* the rest of the run is worth its page */
        dt_page_paragraph(page, now.message);
        return DT_OK;
    }
    if (status != DT_OK)
        return dt_fail(error, status, "%s", now.message);
    if (dt_capture_reader_rule(reader, 0)) {
        char *state = NULL;
        status = dt_capture_reader_text(reader, "status", &state, error);
        dt_buffer caption = {0};
        dt_buffer_format(&caption, "What capture.h5 holds (%s)", state ? state : "no index");
        dt_html_table_begin(&page->body, caption.bytes ? caption.bytes : "", columns, sizeof columns / sizeof *columns);
        for (size_t i = 0; status == DT_OK && (rule = dt_capture_reader_rule(reader, i)); i++)
            status = add_rule(reader, rule, page, error);
        dt_html_table_end(&page->body);
        dt_buffer_clear(&caption);
        dt_capture_release(state);
    }
    dt_capture_reader_close(reader);
    return status;
}
