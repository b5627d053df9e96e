/* The keys of an experiment: one table that gives every key its place in dt_experiment, its type, range, default and
 * explanation.
 *
 * dt_experiment_init and dt_experiment_validate walk it, and so does everything that reads, overrides, writes or
 * explains an experiment file. To add a key, add a field to the struct in deltoid/experiment.h and one line to the
 * table in keys.c, among the keys of its section. Beside it key_defaults.c, key_rules.c (which applies when) and
 * key_words.c (what it accepts).
 *
 * A key's pattern is its path with '#' for a position in a list and '*' for a name of the user's: "network.#.units",
 * "capture.*.every".
 */
#ifndef DT_TRAIN_KEYS_H
#define DT_TRAIN_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "deltoid/experiment.h"
#include "deltoid/tables.h"

typedef enum dt_key_kind {
    DT_KEY_INTEGER,    /* int64_t in low .. high; `word`, where there is one, stands for 0 */
    DT_KEY_SEED,       /* uint64_t */
    DT_KEY_REAL,       /* double between low and high */
    DT_KEY_REALS,      /* const double * and behind it a size_t: so many between low and high; NULL: none */
    DT_KEY_BOOL,       /* bool */
    DT_KEY_NAME,       /* const char *: letters, digits, '.', '_', '-', no leading dot */
    DT_KEY_FILE,       /* const char *, NULL: none */
    DT_KEY_TEXT,       /* const char *: any text of up to DT_TEXT_MAX; NULL: none, and `text` says what then */
    DT_KEY_ENTRY,      /* const char *: a name of `table` */
    DT_KEY_METRIC,     /* const char *: a name of `table`; NULL where `word` stands for it; true: validation_loss */
    DT_KEY_PRECISION,  /* dt_precision */
    DT_KEY_INTEGERS,   /* dt_integers: a list, ascending, in low .. high */
    DT_KEY_TARGETS,    /* dt_targets */
    DT_KEY_CHOICE,     /* const char *: one of the words of `choices` */
    DT_KEY_NAMES,      /* dt_name_list: any texts, one or a list */
    DT_KEY_QUANTITIES, /* the fields of a dt_capture_rule: a list of quantities, */
    DT_KEY_LAYERS,     /* `all` or a list of layers, */
    DT_KEY_UNITS,      /* `all` or a list of units and ranges, */
    DT_KEY_STEPS,      /* `log` or a list of steps, */
    DT_KEY_BYTES,      /* int64_t in low .. high, in bytes, or with K, M, G, T in powers of 1024; 0 is `word`, or
                          `number` */
    DT_KEY_EITHER,     /* unsigned: the place of a word in `words` */
    DT_KEY_SAMPLES     /* a number, `batch` or a list of rows */
} dt_key_kind;

/* The struct that a key's field is in. */
typedef enum dt_key_of { DT_OF_EXPERIMENT, DT_OF_LAYER, DT_OF_RULE } dt_key_of;

typedef struct dt_key {
    const char *pattern;
    dt_key_kind kind;
    dt_key_of of;
    size_t offset;
    dt_table table;   /* DT_KEY_ENTRY, DT_KEY_METRIC */
    double low, high; /* numbers */
    bool low_open;    /* low itself is outside */
    bool high_open;
    const char *word;     /* DT_KEY_INTEGER: spells 0; DT_KEY_METRIC: NULL */
    const char *words[3]; /* DT_KEY_EITHER: two, then NULL; the first is the default */
    double number;        /* default, of numbers and bools */
    const char *text;     /* default, of names; of the kinds above that have no number, its words for help */
    const char *choices;  /* DT_KEY_CHOICE: words apart by blanks */
    bool required;        /* must be in the file */
    bool required_in;     /* must be in its section where the file has that section */
    const char *only;     /* applies where its chooser's name is one of these words; NULL: always */
    const char *needed;   /* of those, the ones with which `required` and `required_in` hold; NULL: all of them */
    const char *help;     /* a sentence */
} dt_key;

const dt_key *dt_key_at(size_t i);              /* NULL past the last */
const dt_key *dt_key_find(const char *pattern); /* NULL where no key has that pattern */
bool dt_key_is_section(const char *pattern);    /* keys lie under it */

/* What of `pattern` follows "section.", all of it where that is "". NULL where it lies elsewhere. */
const char *dt_key_under(const char *pattern, const char *section);

/* The i-th distinct name under a section, "" for the top: under "training" epochs, batch_size, shuffle. NULL past the
 * last, or where names are free or numbers. Written to `name`. */
enum { DT_KEY_NAME_SIZE = 32 };
const char *dt_key_child(const char *section, size_t i, char name[DT_KEY_NAME_SIZE]);

/* A name with parameters: a key of a table under which other keys lie ("loss" and "loss.delta"). It is written as the
 * name alone, or as a section with the name under `name`. */
bool dt_key_is_choice(const dt_key *key);

/* The key that decides whether this one applies: the choice it lies under, or its section's `name`. NULL where it
 * always does. And whether it does with that name. */
const dt_key *dt_key_chooser(const dt_key *key);
bool dt_key_applies(const dt_key *key, const char *name);

/* The names it applies to, as words: "sgd, rmsprop or lars". */
void dt_key_only(const dt_key *key, char *out, size_t size);

/* Is it one of the key's choices? */
bool dt_key_is_choice_word(const dt_key *key, const char *word);

/* Must the key be in the file, or in its section where the file has that, with that name of its chooser's (NULL: it has
 * none yet)? */
bool dt_key_is_needed(const dt_key *key, const char *name);

/* Stores the defaults of all keys of a struct: a dt_experiment, a dt_layer_spec or a dt_capture_rule. */
void dt_key_defaults(dt_key_of of, void *base);

/* The same of the keys that stand beside `name`, "optimizer.name", with what is that name's own default: not of `name`
 * itself. */
void dt_key_named_defaults(const dt_key *name, const char *value, void *base);

/* The i-th name that has a default of its own for the key, and the default. NULL past the last. */
const char *dt_key_named_default(const dt_key *key, size_t i, double *number);

/* What it accepts, as a noun phrase: "a whole number from 1 to 1024, or auto". `out` always ends up terminated. */
void dt_key_accepts(const dt_key *key, char *out, size_t size);

static inline const void *dt_key_field(const dt_key *key, const void *base)
{
    return (const char *)base + key->offset;
}

/* Ranges that are no single key's. */
enum { DT_LAYERS_MAX = 64, DT_RULES_MAX = 12, DT_TEXT_MAX = 240 };
#define DT_STEP_MAX INT64_C(1000000000000) /* the largest step and row number a list may name */

/* Letters, digits, '_', '-' and, where `dots` says so, '.' but not in front; 1 to `longest` of them. */
bool dt_is_name(const char *text, size_t longest, bool dots);

#endif
