#include "cli/yaml.h"

#include <libfyaml.h>
#include <string.h>

#include "cli/text.h"

enum {
    DEPTH_MAX = 64,
    ENTRIES_MAX = 256 /* of one map: no section has nearly as many, and each is compared with those before it */
};

/* A list or map that is being read. */
typedef struct level {
    dt_node *node;
    dt_node *last; /* child */
    dt_node *next; /* of a map: the child whose key is read and whose value is not */
    bool flow;     /* in brackets */
} level;

typedef struct reader {
    const dt_origin *origin;
    dt_error *error;
    dt_pool pool;
    dt_node *root;
    level levels[DEPTH_MAX];
    int depth;
    bool ended; /* the document */
} reader;

static dt_status fail_place(reader *r, int line, int column, const char *what)
{
    dt_node here = {.origin = r->origin, .line = line, .column = column};
    return dt_fail_at(r->error, &here, DT_MALFORMED, "%s", what);
}

static dt_status no_memory(reader *r)
{
    return dt_fail(r->error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
}

/* libfyaml would pass over bytes that are no text. */
static dt_status check_text(reader *r, const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    int line = 1, column = 1;
    for (size_t i = 0, n; i < size; i += n, column++) {
        n = dt_utf8_length(text + i, size - i);
        if (n == 0)
            return fail_place(r, line, column, "not UTF-8 text; is this an experiment file?");
        if ((s[i] < 0x20 && !strchr("\t\n\r", s[i])) || s[i] == 0 || s[i] == 0x7f)
            return fail_place(r, line, column, "a control character; is this an experiment file?");
        if (s[i] == '\n')
            line++, column = 0;
    }
    return DT_OK;
}

/* Adds a value to the list or map at hand, or makes it the root. */
static dt_node *add(reader *r, dt_node_kind kind)
{
    level *at = r->depth ? &r->levels[r->depth - 1] : NULL;
    dt_node *node = at && at->next ? at->next : dt_pool_allocate(&r->pool, sizeof *node);
    if (!node)
        return NULL;
    node->kind = kind;
    node->origin = r->origin;
    node->text = "";
    if (!at) {
        r->root = node;
        return node;
    }
    if (at->last)
        at->last->next = node;
    else
        at->node->first = node;
    at->last = node;
    at->next = NULL;
    at->node->count++;
    return node;
}

static void set_place(dt_node *node, const struct fy_mark *mark, bool quoted)
{
    if (mark) {
        node->line = mark->line + 1;
        node->column = mark->column + 1 - (quoted && mark->column > 0); /* libfyaml's mark is after the quote */
    } else {                                                            /* nothing is written */
        node->line = node->key_line > 0 ? node->key_line : 1;
        node->column = node->key_line > 0 ? node->key_column : 1;
    }
}

static dt_status read_key(reader *r, const char *text, size_t length, const struct fy_mark *mark, bool quoted)
{
    level *at = &r->levels[r->depth - 1];
    dt_node *node = dt_pool_allocate(&r->pool, sizeof *node);
    char *key = node ? dt_pool_text(&r->pool, text, length) : NULL;
    if (!key)
        return no_memory(r);
    node->origin = r->origin;
    set_place(node, mark, quoted);
    if (strcmp(key, "<<") == 0)
        return dt_fail_at(r->error, node, DT_MALFORMED, "merge keys are not supported; write the keys out");
    if (strlen(key) != length || length == 0)
        return dt_fail_at(r->error, node, DT_MALFORMED, "a key is missing; write KEY: VALUE");
    const dt_node *before = dt_node_child(at->node, key);
    if (before)
        return dt_fail_at(r->error, node, DT_MALFORMED, "duplicate key '%.64s', first at line %d; remove one of them",
                          key, before->key_line);
    if (at->node->count >= ENTRIES_MAX)
        return dt_fail_at(r->error, node, DT_MALFORMED, "more than %d keys in one section; is this an experiment file?",
                          ENTRIES_MAX);
    node->key = key;
    node->key_line = node->line;
    node->key_column = node->column;
    at->next = node;
    return DT_OK;
}

static bool wants_key(const reader *r)
{
    return r->depth && r->levels[r->depth - 1].node->kind == DT_NODE_MAP && !r->levels[r->depth - 1].next;
}

static dt_status read_scalar(reader *r, struct fy_event *event, const struct fy_mark *mark)
{
    size_t length = 0;
    const char *text = event->scalar.value ? fy_token_get_text(event->scalar.value, &length) : "";
    enum fy_scalar_style style = event->scalar.value ? fy_token_scalar_style(event->scalar.value) : FYSS_PLAIN;
    bool quotes = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
    if (!text)
        return no_memory(r);
    if (wants_key(r))
        return read_key(r, text, length, mark, quotes);
    dt_node *node = add(r, DT_NODE_SCALAR);
    char *copy = node ? dt_pool_text(&r->pool, text, length) : NULL;
    if (!copy)
        return no_memory(r);
    node->text = copy;
    node->quoted = style != FYSS_PLAIN;
    set_place(node, mark, quotes);
    if (strlen(copy) != length)
        return dt_fail_at(r->error, node, DT_MALFORMED, "a zero byte in a text; remove it");
    return DT_OK;
}

static dt_status open_level(reader *r, struct fy_event *event, dt_node_kind kind, const struct fy_mark *mark)
{
    if (wants_key(r))
        return fail_place(r, mark ? mark->line + 1 : 1, mark ? mark->column + 1 : 1,
                          "a list or map as a key; write KEY: VALUE");
    if (r->depth == DEPTH_MAX)
        return fail_place(r, mark ? mark->line + 1 : 1, mark ? mark->column + 1 : 1,
                          "nested more than 64 deep; is this an experiment file?");
    dt_node *node = add(r, kind);
    if (!node)
        return no_memory(r);
    set_place(node, mark, false);
    r->levels[r->depth++] = (level){.node = node, .flow = fy_event_get_node_style(event) == FYNS_FLOW};
    return DT_OK;
}

/* Anchors and tags, of any node. */
static dt_status check_properties(reader *r, struct fy_event *event)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event), *tag = fy_event_get_tag_token(event),
                    *token = anchor ? anchor : tag;
    if (!token)
        return DT_OK;
    const struct fy_mark *mark = fy_token_start_mark(token);
    int line = mark ? mark->line + 1 : 1, column = mark ? mark->column + 1 : 1;
    if (anchor) /* libfyaml's mark is after the '&' */
        return fail_place(r, line, column > 1 ? column - 1 : 1,
                          "anchors are not supported; write the value out where it is needed");
    return fail_place(r, line, column, "tags are not supported; remove what begins with '!'");
}

static dt_status read_event(reader *r, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    dt_status status = check_properties(r, event);
    if (status != DT_OK)
        return status;
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (r->ended)
            return fail_place(r, mark ? mark->line + 1 : 1, mark ? mark->column + 1 : 1,
                              "a second document; an experiment file holds one");
        return DT_OK;
    case FYET_DOCUMENT_END:
        r->ended = true;
        return DT_OK;
    case FYET_MAPPING_START:
        return open_level(r, event, DT_NODE_MAP, mark);
    case FYET_SEQUENCE_START:
        return open_level(r, event, DT_NODE_LIST, mark);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        r->depth--;
        return DT_OK;
    case FYET_SCALAR:
        return read_scalar(r, event, mark);
    case FYET_ALIAS:
        return fail_place(r, mark ? mark->line + 1 : 1, mark && mark->column > 0 ? mark->column : 1,
                          "aliases are not supported; write the value out");
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
        return DT_OK;
    }
    return DT_OK;
}

/* What libfyaml collected in place of printing it; and the bracket that is still open, which is where people look. */
static dt_status syntax_error(reader *r, struct fy_diag *diag)
{
    void *iterator = NULL;
    struct fy_diag_error *first = fy_diag_errors_iterate(diag, &iterator);
    dt_node here = {.origin = r->origin, .line = 1, .column = 1};
    const char *what = "unreadable";
    if (first) {
        here.line = first->line > 0 ? first->line : 1;
        here.column = first->column > 0 ? first->column : 1;
        what = first->msg;
    }
    if (r->depth && r->levels[r->depth - 1].flow && r->levels[r->depth - 1].node->line > 0) {
        const dt_node *open = r->levels[r->depth - 1].node;
        return dt_fail_at(r->error, &here, DT_MALFORMED,
                          "not YAML: %s; a '%c' is open since line %d, column %d: close it", what,
                          open->kind == DT_NODE_LIST ? '[' : '{', open->line, open->column);
    }
    return dt_fail_at(r->error, &here, DT_MALFORMED, "not YAML: %s; correct the line", what);
}

static dt_status read_events(reader *r, struct fy_parser *parser, struct fy_diag *diag)
{
    struct fy_event *event;
    while ((event = fy_parser_parse(parser))) {
        dt_status status = read_event(r, event);
        fy_parser_event_free(parser, event);
        if (status != DT_OK)
            return status;
    }
    return fy_parser_get_stream_error(parser) ? syntax_error(r, diag) : DT_OK;
}

dt_status dt_yaml_read(dt_node **root, const char *text, size_t size, const dt_origin *origin, dt_arena *arena,
                       dt_error *error)
{
    reader r = {.origin = origin, .error = error, .pool = {.arena = arena}};
    *root = NULL;
    dt_status status = check_text(&r, text, size);
    if (status != DT_OK || size == 0)
        return status;

    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.output_fn = NULL;
    quiet.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&quiet);
    if (diag)
        fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2,
        .diag = diag,
    };
    struct fy_parser *parser = diag ? fy_parser_create(&cfg) : NULL;
    if (!parser || fy_parser_set_string(parser, text, size) != 0)
        status = no_memory(&r);
    else
        status = read_events(&r, parser, diag);
    if (parser)
        fy_parser_destroy(parser);
    if (diag)
        fy_diag_destroy(diag);
    if (status == DT_OK)
        *root = r.root;
    return status;
}
