/* deltoid capture info: what a capture has, and what it lacks. */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "cli/capture.h"
#include "cli/capture_holes.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/terminal.h"
#include "cli/text.h"

enum { HOLES_SHOWN = 4 };

typedef struct info {
    dt_capture_reader *reader;
    const char *run;
    char *status;
    dt_config config;
    bool has_config; /* the experiment could be read */
    int64_t went;    /* steps that were done, as far as is known */
    int64_t finished, unfinished, damaged, bytes;
} info;

/* --- gathering --- */

static void count_parts(info *v)
{
    const dt_capture_part *part;
    for (size_t i = 0; (part = dt_capture_reader_part(v->reader, i)); i++) {
        v->bytes += part->bytes;
        if (part->unfinished)
            v->unfinished++;
        else if (part->damaged)
            v->damaged++;
        else
            v->finished++;
    }
}

static const dt_capture_rule *rule_of(const info *v, const char *name)
{
    for (size_t i = 0; v->has_config && i < v->config.experiment.capture_count; i++)
        if (strcmp(v->config.experiment.capture[i].name, name) == 0)
            return &v->config.experiment.capture[i];
    return NULL;
}

static dt_status read_experiment(info *v, dt_error *error)
{
    char *text;
    dt_status status = dt_capture_reader_text(v->reader, "experiment", &text, error);
    if (status == DT_OK && text)
        v->has_config = dt_config_parse(&v->config, text, strlen(text), "experiment", ".", NULL, 0, NULL) == DT_OK;
    dt_capture_release(text);
    return status;
}

/* Steps done: what metrics.tsv says, or the last captured one of any rule. */
static dt_status find_end(info *v, dt_error *error)
{
    const char *rule;
    dt_status status = DT_OK;
    v->went = dt_metrics_steps(v->run);
    for (size_t i = 0; status == DT_OK && (rule = dt_capture_reader_rule(v->reader, i)); i++) {
        int64_t *steps, count;
        status = dt_capture_reader_steps(v->reader, rule, &steps, &count, error);
        if (status == DT_OK && count > 0 && steps[count - 1] < INT64_MAX)
            v->went = dt_max(v->went, steps[count - 1] + 1);
        dt_release(steps);
    }
    return status;
}

/* --- words --- */

static void add_cadence(dt_text *text, const dt_capture_rule *rule)
{
    if (!rule)
        dt_text_add(text, "cadence unknown");
    else if (rule->every > 0)
        dt_text_add(text, "every %" PRId64, rule->every);
    else if (rule->steps_log)
        dt_text_add(text, "steps log");
    else
        dt_text_add(text, "%zu listed steps", rule->step_count);
}

static const char *type_name(const dt_capture_dataset *set)
{
    if (set->real)
        return set->element == 8 ? "float64" : "float32";
    static const char *const names[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
                                            {"int8", "int16", "int32", "int64"}};
    return names[set->has_sign][set->element == 1 ? 0 : set->element == 2 ? 1 : set->element == 4 ? 2 : 3];
}

static int64_t raw_bytes(const dt_capture_dataset *set)
{
    int64_t bytes = set->element;
    for (int i = 0; i < set->rank; i++)
        bytes *= set->size[i];
    return bytes;
}

static void add_storage(dt_text *text, const dt_capture_dataset *set)
{
    if (set->gzip < 0)
        dt_text_add(text, "%s", set->shuffle ? "shuffle" : "none");
    else
        dt_text_add(text, "%sgzip %d", set->shuffle ? "shuffle, " : "", set->gzip);
}

static bool is_of(const dt_capture_dataset *set, const char *rule)
{
    const size_t length = strlen(rule);
    return strncmp(set->name + 1, rule, length) == 0 && set->name[1 + length] == '/';
}

static void add_size(dt_text *text, const dt_capture_dataset *set)
{
    dt_text_add(text, "(");
    for (int i = 0; i < set->rank; i++)
        dt_text_add(text, "%s%" PRId64, i ? ", " : "", set->size[i]);
    dt_text_add(text, ")");
}

static void add_set(dt_text *text, const info *v, const dt_capture_dataset *set, const char *rule)
{
    char stored[DT_FORMAT_SIZE];
    dt_text shape = {0}, filters = {0};
    (void)v;
    add_size(&shape, set);
    add_storage(&filters, set);
    if (set->fault[0])
        dt_text_add(text, "  %-22s %s\n", set->name + strlen(rule) + 2, set->fault);
    else
        dt_text_add(text, "  %-22s %-20s %-8s %10s  %s\n", set->name + strlen(rule) + 2, shape.bytes ? shape.bytes : "",
                    type_name(set), dt_format_bytes((uint64_t)set->stored, stored), filters.bytes ? filters.bytes : "");
    dt_text_clear(&shape);
    dt_text_clear(&filters);
}

/* "layers 0-3" */
static void add_layers(dt_text *text, const info *v, const char *rule)
{
    const dt_capture_dataset *set;
    char last[DT_DATASET_NAME] = "";
    for (size_t i = 0; (set = dt_capture_reader_at(v->reader, i)); i++) {
        const char *layer = is_of(set, rule) ? set->name + strlen(rule) + 2 : "";
        const size_t length = strcspn(layer, "/");
        if (strncmp(layer, "layer", 5) != 0 || (strncmp(last, layer, length) == 0 && !last[length]))
            continue;
        dt_text_add(text, "%s%.*s", *last ? " " : "; layers ", (int)length - 5, layer + 5);
        snprintf(last, sizeof last, "%.*s", (int)length, layer);
    }
}

static int64_t samples_of(const info *v, const char *rule)
{
    char name[DT_DATASET_NAME + 16];
    snprintf(name, sizeof name, "/%.100s/sample_id", rule);
    const dt_capture_dataset *set = dt_capture_reader_find(v->reader, name);
    return set && set->rank == 2 ? set->size[1] : 0;
}

/* --- rules --- */

typedef struct rule_facts {
    const char *name;
    const dt_capture_rule *rule;
    int64_t *steps, count, dropped;
    dt_holes holes;
} rule_facts;

static dt_status look(info *v, const char *name, rule_facts *f, dt_error *error)
{
    *f = (rule_facts){.name = name, .rule = rule_of(v, name)};
    dt_status status = dt_capture_reader_steps(v->reader, name, &f->steps, &f->count, error);
    if (status == DT_OK)
        status = dt_capture_reader_dropped(v->reader, name, &f->dropped, error);
    if (status == DT_OK && f->rule)
        dt_holes_find(&f->holes, f->rule, f->steps, f->count, v->went);
    return status;
}

static void add_rule(dt_text *text, const info *v, const rule_facts *f)
{
    const dt_capture_dataset *set;
    dt_text_add(text, "\nrule %s: ", f->name);
    add_cadence(text, f->rule);
    dt_text_add(text, "; %" PRId64 " steps", f->count);
    if (f->count)
        dt_text_add(text, ", %" PRId64 " to %" PRId64, f->steps[0], f->steps[f->count - 1]);
    dt_text_add(text, "; %" PRId64 " samples", samples_of(v, f->name));
    add_layers(text, v, f->name);
    dt_text_add(text, "\n");
    if (f->holes.steps)
        dt_text_add(text, "  missing: %" PRId64 " of %" PRId64 " steps:", f->holes.steps, f->holes.expected);
    for (int i = 0; i < f->holes.count && i < HOLES_SHOWN; i++)
        if (f->holes.first[i] == f->holes.last[i])
            dt_text_add(text, " %" PRId64, f->holes.first[i]);
        else
            dt_text_add(text, " %" PRId64 " to %" PRId64, f->holes.first[i], f->holes.last[i]);
    if (f->holes.steps)
        dt_text_add(text, "%s\n", f->holes.runs > HOLES_SHOWN ? " ..." : "");
    if (f->dropped)
        dt_text_add(text, "  dropped: %" PRId64 " steps, for which the disk was too slow\n", f->dropped);
    for (size_t i = 0; (set = dt_capture_reader_at(v->reader, i)); i++)
        if (is_of(set, f->name) && set->has_steps)
            add_set(text, v, set, f->name);
}

static void add_json_set(dt_text *text, const dt_capture_dataset *set)
{
    dt_text_add(text, "{\"name\": ");
    dt_text_add_json(text, set->name);
    if (set->fault[0]) {
        dt_text_add(text, ", \"fault\": ");
        dt_text_add_json(text, set->fault);
        dt_text_add(text, "}");
        return;
    }
    dt_text_add(text, ", \"shape\": [");
    for (int i = 0; i < set->rank; i++)
        dt_text_add(text, "%s%" PRId64, i ? ", " : "", set->size[i]);
    dt_text_add(text, "], \"dimensions\": [");
    for (int i = 0; i < set->rank; i++) {
        const char *slash = strrchr(set->axis[i], '/');
        dt_text_add(text, "%s", i ? ", " : "");
        dt_text_add_json(text, slash ? slash + 1 : "");
    }
    dt_text_add(text, "], \"type\": \"%s\", \"bytes\": %" PRId64 ", \"stored\": %" PRId64 ", \"compression\": \"",
                type_name(set), raw_bytes(set), set->stored);
    add_storage(text, set);
    dt_text_add(text, "\"}");
}

static void add_json_rule(dt_text *text, const info *v, const rule_facts *f)
{
    const dt_capture_dataset *set;
    bool any = false;
    dt_text_add(text, "{\"name\": ");
    dt_text_add_json(text, f->name);
    dt_text_add(text, ", \"cadence\": \"");
    add_cadence(text, f->rule);
    dt_text_add(text, "\", \"steps\": %" PRId64 ", \"first\": ", f->count);
    dt_text_add(text, f->count ? "%" PRId64 : "null", f->count ? f->steps[0] : 0);
    dt_text_add(text, ", \"last\": ");
    dt_text_add(text, f->count ? "%" PRId64 : "null", f->count ? f->steps[f->count - 1] : 0);
    dt_text_add(text, ", \"samples\": %" PRId64 ", \"missing\": %" PRId64 ", \"holes\": [", samples_of(v, f->name),
                f->holes.steps);
    for (int i = 0; i < f->holes.count; i++)
        dt_text_add(text, "%s[%" PRId64 ", %" PRId64 "]", i ? ", " : "", f->holes.first[i], f->holes.last[i]);
    dt_text_add(text, "], \"dropped\": %" PRId64 ", \"datasets\": [", f->dropped);
    for (size_t i = 0; (set = dt_capture_reader_at(v->reader, i)); i++) {
        if (!is_of(set, f->name))
            continue;
        dt_text_add(text, "%s", any ? ", " : "");
        add_json_set(text, set);
        any = true;
    }
    dt_text_add(text, "]}");
}

/* --- the whole --- */

static const char *state_of(const dt_capture_part *part)
{
    return part->unfinished  ? "in the making"
           : part->damaged   ? "damaged"
           : part->unindexed ? "not in the index"
                             : "finished";
}

static void add_head(dt_text *text, const info *v)
{
    char bytes[DT_FORMAT_SIZE];
    const dt_capture_part *part;
    const char *fault = dt_capture_reader_index_fault(v->reader);
    dt_text_add(text, "file      %s\nstatus    %s\nsize      %s\nsteps     %" PRId64 " done\n",
                dt_capture_reader_path(v->reader), v->status ? v->status : "unknown",
                dt_format_bytes((uint64_t)v->bytes, bytes), v->went);
    if (dt_capture_reader_is_index(v->reader))
        dt_text_add(text, "segments  %" PRId64 " finished, %" PRId64 " in the making, %" PRId64 " damaged\n",
                    v->finished, v->unfinished, v->damaged);
    if (fault)
        dt_text_add(text, "index     %s\n", fault);
    for (size_t i = 0; (part = dt_capture_reader_part(v->reader, i)); i++)
        if (part->damaged || part->unindexed || part->unfinished)
            dt_text_add(text, "          %s: %s%s%s, %s\n",
                        strrchr(part->path, '/') ? strrchr(part->path, '/') + 1 : part->path, state_of(part),
                        part->damaged ? ": " : "", part->damaged ? part->why : "",
                        dt_format_bytes((uint64_t)part->bytes, bytes));
}

static void add_json_head(dt_text *text, const info *v)
{
    const dt_capture_part *part;
    const char *fault = dt_capture_reader_index_fault(v->reader);
    dt_text_add(text, "{\"file\": ");
    dt_text_add_json(text, dt_capture_reader_path(v->reader));
    dt_text_add(text, ", \"status\": ");
    dt_text_add_json(text, v->status ? v->status : "unknown");
    dt_text_add(text,
                ", \"bytes\": %" PRId64 ", \"steps_done\": %" PRId64 ", \"index\": %s, \"index_fault\": ", v->bytes,
                v->went, dt_capture_reader_is_index(v->reader) ? "true" : "false");
    if (fault)
        dt_text_add_json(text, fault);
    else
        dt_text_add(text, "null");
    dt_text_add(text, ", \"files\": [");
    for (size_t i = 0; (part = dt_capture_reader_part(v->reader, i)); i++) {
        dt_text_add(text, "%s{\"path\": ", i ? ", " : "");
        dt_text_add_json(text, part->path);
        dt_text_add(text, ", \"state\": \"%s\", \"bytes\": %" PRId64, state_of(part), part->bytes);
        if (part->damaged) {
            dt_text_add(text, ", \"why\": ");
            dt_text_add_json(text, part->why);
        }
        dt_text_add(text, "}");
    }
    dt_text_add(text, "], \"rules\": [");
}

static dt_status add_all(dt_text *text, info *v, bool json, dt_error *error)
{
    const char *name;
    dt_status status = DT_OK;
    (json ? add_json_head : add_head)(text, v);
    for (size_t i = 0; status == DT_OK && (name = dt_capture_reader_rule(v->reader, i)); i++) {
        rule_facts f;
        status = look(v, name, &f, error);
        if (status == DT_OK && json && i)
            dt_text_add(text, ", ");
        if (status == DT_OK)
            (json ? add_json_rule : add_rule)(text, v, &f);
        dt_release(f.steps);
    }
    if (json)
        dt_text_add(text, "]}\n");
    return status;
}

dt_status dt_capture_info(const dt_arguments *arguments, dt_error *error)
{
    info v = {.run = arguments->positional[1]};
    dt_text text = {0};
    dt_status status = dt_capture_reader_open(&v.reader, v.run, DT_CAPTURE_ALL, error);
    if (status != DT_OK)
        return status;
    count_parts(&v);
    status = dt_capture_reader_text(v.reader, "status", &v.status, error);
    if (status == DT_OK)
        status = read_experiment(&v, error);
    if (status == DT_OK)
        status = find_end(&v, error);
    if (status == DT_OK)
        status = add_all(&text, &v, dt_argument(arguments, "json") != NULL, error);
    if (status == DT_OK && text.failed)
        status = dt_fail_memory(error, "the table");
    if (status == DT_OK) {
        fputs(text.bytes, stdout);
        status = dt_terminal_flush(error);
    }
    if (status == DT_OK && (v.damaged || dt_capture_reader_index_fault(v.reader)))
        status = dt_fail(error, DT_ANSWER_NO,
                         "%s: is damaged; deltoid capture recover %s makes it whole as far as it can", v.run, v.run);
    dt_text_clear(&text);
    if (v.has_config)
        dt_config_clear(&v.config);
    dt_capture_release(v.status);
    dt_capture_reader_close(v.reader);
    return status;
}
