/* A strict reader of pages: every element is closed in order, every attribute quoted, every reference known, ids are
 * unique, bytes are UTF-8, and nothing is loaded or run. Fails the test with the place. */
#ifndef DT_TESTS_PAGE_CHECKS_H
#define DT_TESTS_PAGE_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

enum { PAGE_DEPTH = 64, PAGE_NAME = 32, PAGE_IDS = 4096 };

typedef struct page_check {
    const char *page, *at;
    char open[PAGE_DEPTH][PAGE_NAME];
    int depth, elements, pictures, tables, captions, headings;
    char *ids[PAGE_IDS];
    size_t id_count;
} page_check;

#define PAGE_FAIL(check, why)                                                                                          \
    fail_msg("at byte %ld: %s: '%.60s'", (long)((check)->at - (check)->page), why, (check)->at)

static inline bool page_is(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static inline void page_reference(page_check *c)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", NULL};
    for (const char *const *k = known; *k; k++)
        if (strncmp(c->at, *k, strlen(*k)) == 0) {
            c->at += strlen(*k);
            return;
        }
    char *end;
    if (c->at[1] == '#' && (strtol(c->at + 2 + (c->at[2] == 'x'), &end, c->at[2] == 'x' ? 16 : 10), *end == ';')) {
        c->at = end + 1;
        return;
    }
    PAGE_FAIL(c, "a reference that XML doesn't know");
}

/* Text up to `end`. */
static inline void page_text(page_check *c, char end)
{
    while (*c->at && *c->at != end) {
        const size_t bytes = dt_character_bytes(c->at);
        if (*c->at == '&') {
            page_reference(c);
            continue;
        }
        if (*c->at == '<' || bytes == 0)
            PAGE_FAIL(c, bytes ? "an element in a value" : "not UTF-8");
        if (dt_character_is_control(c->at, bytes) && !strchr("\n\t", *c->at))
            PAGE_FAIL(c, "a control character");
        c->at += bytes;
    }
}

static inline void page_attribute(page_check *c, const char *element)
{
    char name[PAGE_NAME];
    const size_t length = strcspn(c->at, "= \n\t>/");
    if (length == 0 || length >= sizeof name || c->at[length] != '=' || c->at[length + 1] != '"')
        PAGE_FAIL(c, "an attribute without quotes");
    memcpy(name, c->at, length);
    name[length] = '\0';
    const char *value = c->at += length + 2;
    page_text(c, '"');
    const size_t size = (size_t)(c->at - value);
    static const char *const loading[] = {"src",        "srcset", "action",     "data",   "poster",
                                          "formaction", "style",  "background", "srcdoc", NULL};
    if (strncmp(name, "on", 2) == 0 || page_is(name, loading))
        PAGE_FAIL(c, "an attribute that loads or runs something");
    if (strcmp(name, "href") == 0 && value[0] != '#' && strncmp(value, "data:image/png;base64,", 22) != 0)
        PAGE_FAIL(c, "a link out of the page");
    if (strcmp(name, "id") == 0) {
        char *id = calloc(1, size + 1);
        assert_true(id && c->id_count < PAGE_IDS);
        memcpy(id, value, size);
        for (size_t i = 0; i < c->id_count; i++)
            if (strcmp(c->ids[i], id) == 0)
                PAGE_FAIL(c, "an id twice");
        c->ids[c->id_count++] = id;
    }
    if (strcmp(element, "svg") == 0 && strcmp(name, "aria-labelledby") == 0)
        c->pictures++;
    c->at++;
}

static inline void page_tag(page_check *c)
{
    static const char *const forbidden[] = {"script",        "iframe", "object", "embed", "link",    "base", "form",
                                            "foreignObject", "img",    "audio",  "video", "animate", NULL};
    char name[PAGE_NAME];
    const bool closing = c->at[1] == '/';
    const char *start = c->at + 1 + closing;
    const size_t length = strcspn(start, " \n\t>/");
    if (length == 0 || length >= sizeof name)
        PAGE_FAIL(c, "no element");
    memcpy(name, start, length);
    name[length] = '\0';
    if (page_is(name, forbidden))
        PAGE_FAIL(c, "an element that loads or runs something");
    c->at = start + length;
    if (closing) {
        if (c->depth == 0 || strcmp(c->open[--c->depth], name) != 0)
            PAGE_FAIL(c, "another element is open");
        if (*c->at++ != '>')
            PAGE_FAIL(c, "no end of a tag");
        return;
    }
    c->elements++;
    c->tables += strcmp(name, "table") == 0;
    c->captions += strcmp(name, "caption") == 0;
    c->headings += strlen(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6';
    for (;;) {
        c->at += strspn(c->at, " \n\t");
        if (*c->at == '>' || *c->at == '/' || *c->at == '\0')
            break;
        page_attribute(c, name);
    }
    const bool closed = *c->at == '/';
    if (c->at[closed] != '>')
        PAGE_FAIL(c, "no end of a tag");
    c->at += closed + 1;
    if (!closed) {
        assert_true(c->depth < PAGE_DEPTH);
        strcpy(c->open[c->depth++], name);
    }
    if (strcmp(name, "style") == 0) { /* not text: to its end */
        const char *end = strstr(c->at, "</style>");
        const char *url = strstr(c->at, "url("), *import = strstr(c->at, "@import");
        if (!end || (url && url < end) || (import && import < end))
            PAGE_FAIL(c, "a style that loads something");
        c->at = end;
    }
}

static inline void check_page(page_check *c, const char *page)
{
    static const char start[] = "<!DOCTYPE html>\n<html lang=\"en\">";
    *c = (page_check){.page = page, .at = page};
    if (strncmp(page, start, sizeof start - 1) != 0)
        PAGE_FAIL(c, "no start of a page");
    c->at += strlen("<!DOCTYPE html>");
    while (*c->at)
        if (*c->at == '<')
            page_tag(c);
        else
            page_text(c, '<');
    if (c->depth)
        PAGE_FAIL(c, c->open[c->depth - 1]);
    assert_int_equal(c->tables, c->captions);
    assert_true(c->headings >= 2);
    if (strstr(page, "http://") || strstr(page, "https://"))
        fail_msg("the page names another place");
    for (size_t i = 0; i < c->id_count; i++)
        free(c->ids[i]);
}

#endif
