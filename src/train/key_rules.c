/* When a key applies and when it is needed; what a name is. */
#include <stdio.h>
#include <string.h>

#include "train/keys.h"

bool dt_key_is_choice(const dt_key *key)
{
    return key->kind == DT_KEY_ENTRY && dt_key_is_section(key->pattern);
}

const dt_key *dt_key_chooser(const dt_key *key)
{
    const char *dot = strrchr(key->pattern, '.');
    char pattern[96];
    if (!key->only || !dot)
        return NULL;
    if (strncmp(key->pattern, "data.", 5) == 0)
        return dt_key_find("data.format");
    snprintf(pattern, sizeof pattern, "%.*s", (int)(dot - key->pattern), key->pattern);
    const dt_key *choice = dt_key_find(pattern);
    if (choice)
        return choice;
    snprintf(pattern, sizeof pattern, "%.*s.name", (int)(dot - key->pattern), key->pattern);
    return dt_key_find(pattern);
}

/* Is `name` one of `words`, which stand apart by blanks? */
static bool is_among(const char *words, const char *name)
{
    const size_t length = strlen(name);
    for (const char *word = words; word && *word; word += strspn(word, " ")) {
        const size_t n = strcspn(word, " ");
        if (n == length && strncmp(word, name, n) == 0)
            return true;
        word += n;
    }
    return false;
}

bool dt_key_applies(const dt_key *key, const char *name)
{
    return !key->only || is_among(key->only, name);
}

bool dt_key_is_needed(const dt_key *key, const char *name)
{
    const char *with = key->needed ? key->needed : key->only;
    return (key->required || key->required_in) && (!with || !name || is_among(with, name));
}

bool dt_key_is_choice_word(const dt_key *key, const char *word)
{
    return is_among(key->choices, word);
}

bool dt_is_name(const char *text, size_t longest, bool dots)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t n = strlen(text);
    if (n == 0 || n > longest || *text == '.')
        return false;
    for (const char *c = text; *c; c++)
        if (!strchr(letters, *c) && !(dots && *c == '.'))
            return false;
    return true;
}
