/* What a key accepts, in words: for messages and help. */
#include <stdio.h>
#include <string.h>

#include "train/keys.h"

static void append(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);
    if (used < size)
        snprintf(out + used, size - used, "%s", text);
}

static void append_names(char *out, size_t size, const dt_key *key)
{
    const char *name;
    for (size_t i = 0;; i++) {
        if (key->kind == DT_KEY_ENTRY || key->kind == DT_KEY_METRIC) {
            const dt_entry *entry = dt_table_at(key->table, i);
            name = entry ? entry->name : NULL;
        } else if (key->kind == DT_KEY_TARGETS) {
            name = i < DT_TARGETS_KINDS ? dt_targets_name((dt_targets)i) : NULL;
        } else if (key->kind == DT_KEY_PRECISION) {
            name = i <= DT_FLOAT64 ? dt_precision_name((dt_precision)i) : NULL;
        } else {
            name = i < DT_QUANTITIES ? dt_quantity_name((dt_quantity)i) : NULL;
        }
        if (!name)
            return;
        append(out, size, i ? ", " : "");
        append(out, size, name);
    }
}

static void append_range(char *out, size_t size, const dt_key *key)
{
    char text[128];
    if (key->kind == DT_KEY_INTEGER || key->kind == DT_KEY_SAMPLES) {
        snprintf(text, sizeof text, "a whole number from %.0f to %.0f", key->low, key->high);
    } else if (key->low_open) {
        snprintf(text, sizeof text, "a number above %.15g and %s %.15g", key->low, key->high_open ? "below" : "at most",
                 key->high);
    } else {
        snprintf(text, sizeof text, "a number from %.15g to %s%.15g", key->low, key->high_open ? "below " : "",
                 key->high);
    }
    append(out, size, text);
}

void dt_key_accepts(const dt_key *key, char *out, size_t size)
{
    if (size == 0)
        return;
    char least[40];
    *out = '\0';
    switch (key->kind) {
    case DT_KEY_INTEGER:
    case DT_KEY_REAL:
        append_range(out, size, key);
        if (key->word) {
            append(out, size, ", or ");
            append(out, size, key->word);
        }
        break;
    case DT_KEY_REALS:
        append(out, size, "a list, each ");
        append_range(out, size, key);
        break;
    case DT_KEY_SEED:
        append(out, size, "a whole number from 0 to 18446744073709551615");
        break;
    case DT_KEY_BOOL:
        append(out, size, "true or false");
        break;
    case DT_KEY_NAME:
        append(out, size, "up to 128 letters, digits, '.', '_' and '-', no dot in front");
        break;
    case DT_KEY_TEXT:
        append(out, size, "a text");
        break;
    case DT_KEY_FILE:
        append(out, size, "a file");
        break;
    case DT_KEY_CHOICE:
        append(out, size, "one of ");
        append(out, size, key->choices);
        break;
    case DT_KEY_NAMES:
        append(out, size, "a name, or a list of names");
        break;
    case DT_KEY_ENTRY:
    case DT_KEY_PRECISION:
    case DT_KEY_TARGETS:
    case DT_KEY_METRIC:
        append(out, size, "one of ");
        append_names(out, size, key);
        if (key->word) {
            append(out, size, ", or ");
            append(out, size, key->word);
        }
        break;
    case DT_KEY_QUANTITIES:
        append(out, size, "a list of ");
        append_names(out, size, key);
        append(out, size, ", their statistics and what else deltoid help quantities names");
        break;
    case DT_KEY_INTEGERS:
        append(out, size, "an ascending list of whole numbers");
        break;
    case DT_KEY_LAYERS:
        append(out, size, "all, or a list of layers");
        break;
    case DT_KEY_UNITS:
        append(out, size, "all, or an ascending list of units and ranges, as [0-9, 17]");
        break;
    case DT_KEY_STEPS:
        append(out, size, "log, or an ascending list of steps from 0");
        break;
    case DT_KEY_BYTES:
        append(out, size, "a number of bytes, as 4096, 512M or 20G (powers of 1024)");
        if (key->low > 1) {
            snprintf(least, sizeof least, ", at least %.0f", key->low);
            append(out, size, least);
        }
        append(out, size, key->word ? ", or " : "");
        append(out, size, key->word ? key->word : "");
        break;
    case DT_KEY_EITHER:
        append(out, size, key->words[0]);
        append(out, size, " or ");
        append(out, size, key->words[1]);
        break;
    case DT_KEY_SAMPLES:
        append_range(out, size, key);
        append(out, size, ", batch, or a list of rows of the training set from 0");
        break;
    }
}

void dt_key_only(const dt_key *key, char *out, size_t size)
{
    size_t used = 0;
    *out = '\0';
    for (const char *word = key->only; word && *word && used < size;) {
        const size_t n = strcspn(word, " ");
        const char *next = word + n + strspn(word + n, " ");
        const char *behind = !*next ? "" : strchr(next, ' ') ? ", " : " or ";
        used += (size_t)snprintf(out + used, size - used, "%.*s%s", (int)n, word, behind);
        word = next;
    }
}
