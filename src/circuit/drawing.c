#include "circuit/drawing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void dt_drawing_clear(dt_drawing *drawing)
{
    dt_release(drawing->marks);
    *drawing = (dt_drawing){0};
}

static dt_mark *add(dt_drawing *d, dt_mark_kind kind, double x, double y)
{
    if (d->failed)
        return NULL;
    if (d->count == d->room) {
        const size_t room = d->room ? 2 * d->room : 64;
        dt_mark *marks = dt_allocate(room, sizeof *marks);
        if (!marks) {
            d->failed = true;
            return NULL;
        }
        if (d->count)
            memcpy(marks, d->marks, d->count * sizeof *marks);
        dt_release(d->marks);
        d->marks = marks;
        d->room = room;
    }
    dt_mark *mark = &d->marks[d->count++];
    *mark = (dt_mark){.kind = kind, .x = x, .y = y};
    return mark;
}

void dt_drawing_wire(dt_drawing *drawing, double x, double y, double x2, double y2, double size, dt_ink ink, bool arrow)
{
    dt_mark *mark = add(drawing, DT_MARK_WIRE, x, y);
    if (!mark)
        return;
    mark->x2 = x2;
    mark->y2 = y2;
    mark->size = size;
    mark->ink = ink;
    mark->arrow = arrow;
}

void dt_drawing_gate(dt_drawing *drawing, double x, double y, double radius, const char *text)
{
    dt_mark *mark = add(drawing, DT_MARK_GATE, x, y);
    if (mark)
        mark->size = radius;
    dt_drawing_label(drawing, x, y, 0.5, radius, 0, DT_INK_PLAIN, text);
}

void dt_drawing_dot(dt_drawing *drawing, double x, double y, double radius)
{
    dt_mark *mark = add(drawing, DT_MARK_DOT, x, y);
    if (mark)
        mark->size = radius;
}

void dt_drawing_box(dt_drawing *drawing, double x, double y, double x2, double y2)
{
    dt_mark *mark = add(drawing, DT_MARK_BOX, x, y);
    if (!mark)
        return;
    mark->x2 = x2;
    mark->y2 = y2;
}

/* `back` of the label is left of x. */
static void label(dt_drawing *d, double x, double y, double back, double size, double angle, dt_ink ink, bool plain,
                  const char *text)
{
    static const double degree = 0.017453292519943295;
    dt_mark *mark = add(d, DT_MARK_LABEL, x - back * cos(angle * degree), y + back * sin(angle * degree));
    if (!mark)
        return;
    mark->size = size;
    mark->angle = angle;
    mark->ink = ink;
    mark->plain = plain;
    snprintf(mark->text, sizeof mark->text, "%s", text);
}

void dt_drawing_label(dt_drawing *drawing, double x, double y, double where, double size, double angle, dt_ink ink,
                      const char *text)
{
    label(drawing, x, y, where * dt_letters_width(text, size), size, angle, ink, false, text);
}

void dt_drawing_words(dt_drawing *drawing, double x, double y, double where, double size, dt_ink ink, const char *text)
{
    label(drawing, x, y, where * dt_words_width(text, size), size, 0, ink, true, text);
}

/* --- letters --- */

/* Thousandths of the size, U+0020 to U+007E. */
static const short advance[] = {
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361,  318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635,  611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352,  635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592,  525, 636, 337, 636, 838,
};

static double width_of(const char *text, size_t length, double size)
{
    enum { greek = 630, partial = 517, sign = 840 };
    double sum = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7F)
            sum += advance[c - 0x20];
        else if (c >= 0xC0) /* the first byte of a character */
            sum += c < 0xE0 ? greek : strncmp(text + i, "∂", 3) == 0 ? partial : sign;
    }
    return sum * size / 1000;
}

/* What ^ or _ applies to: the next character or what is in braces. Returns where the text goes on. */
static const char *argument(const char *at, const char **from, size_t *length)
{
    const char *end = *at == '{' ? strchr(at, '}') : NULL;
    if (end) {
        *from = at + 1;
        *length = (size_t)(end - at) - 1;
        return end + 1;
    }
    *from = at;
    *length = *at != '\0';
    while (*length && ((unsigned char)at[*length] & 0xC0) == 0x80)
        ++*length;
    return at + *length;
}

size_t dt_letters(const char *text, double size, dt_piece pieces[DT_PIECES_MAX], double *width)
{
    static const double small = 0.72, up = -0.42, down = 0.32;
    size_t count = 0;
    double x = 0, raised = 0, lowered = 0; /* where the next piece of each height begins, from x on */
    for (const char *at = text; *at && count < DT_PIECES_MAX;) {
        const size_t length = strcspn(at, "^_");
        dt_piece piece = {.size = size};
        if (length > 0) {
            const size_t blank = strspn(at, " "); /* an SVG drops blanks at the start */
            x += fmax(raised, lowered) + width_of(at, blank, size);
            raised = lowered = 0;
            piece.x = x;
            piece.text = at + blank;
            piece.length = length - blank;
            x += width_of(piece.text, piece.length, size);
            at += length;
        } else {
            double *level = *at == '^' ? &raised : &lowered;
            piece.y = (*at == '^' ? up : down) * size;
            piece.size = small * size;
            at = argument(at + 1, &piece.text, &piece.length);
            piece.x = x + *level;
            *level += width_of(piece.text, piece.length, piece.size) + 0.06 * size;
        }
        if (pieces && piece.length > 0)
            pieces[count] = piece;
        count += piece.length > 0;
    }
    if (width)
        *width = x + fmax(raised, lowered);
    return count;
}

double dt_letters_width(const char *text, double size)
{
    double width;
    dt_letters(text, size, NULL, &width);
    return width;
}

double dt_words_width(const char *text, double size)
{
    return width_of(text, strlen(text), size);
}

void dt_letters_number(char text[DT_NUMBER_TEXT], double value, int digits)
{
    char ascii[16];
    snprintf(ascii, sizeof ascii, "%.*g", digits, value == 0 ? 0.0 : value);
    for (const char *c = ascii; *c; c++) {
        if (*c == '-') { /* U+2212 */
            memcpy(text, "\xE2\x88\x92", 3);
            text += 3;
        } else {
            *text++ = *c;
        }
    }
    *text = '\0';
}
